/** What doctor says of a local interface, with and without a guard that has seen it: a made-up Raspberry Pi with one of them. */
import { describe, expect, it } from 'vitest'
import { MadeMachine, type Spoil } from '../support/made-machine.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const folder = temporaryFolder('doctor')
const spoilt = (spoil: Spoil) => {
  const made = new MadeMachine(folder)
  spoil(made)
  return made.findings()
}

describe('a local interface that is not as configured is looked at as an uplink', () => {
  const interfaces = async (spoil: Spoil = () => {}) =>
    (await spoilt(spoil))
      .filter(({ group, found }) => group === 'interfaces' && found.startsWith('eth1'))
      .map(({ verdict, check, found }) => `${verdict} ${check}: ${found}`)
  const otherCard = (made: MadeMachine) => made.write('/sys/class/net/eth1/address', '02:00:00:00:00:01\n')

  it('by the word of the guard, which has permitted it', async () => {
    const why = 'it has the address 192.168.7.9/5, outside its subnet'
    const found = await interfaces(({ guard }) => {
      guard.reading!.locals[0]!.mismatch = why
      guard.reading!.uplinks.push({ ifindex: 4, name: 'eth1', isUp: true, isCovered: true, isLeased: true })
    })
    expect(found).toEqual([
      'pass uplink: eth1 (virtual): up, covered, permitted now',
      `fail local: eth1 is not as configured, so an uplink: ${why}`,
    ])
  })

  it('where no guard lives, by its cover: bare, or not to be seen by this user', async () => {
    const local =
      'fail local: eth1 is not as configured, so an uplink: its hardware address is 02:00:00:00:00:01, not dc:a6:32:01:23:45'
    const bare = (made: MadeMachine) => (otherCard(made), void (made.isGuardLive = false))
    expect(await interfaces(bare)).toEqual(['fail uplink: eth1 (virtual): up, not covered', local])
    const unseen = (made: MadeMachine) => (bare(made), void (made.isRoot = false))
    expect(await interfaces(unseen)).toEqual([
      'not applicable uplink: eth1 (virtual): up, cover not seen',
      local,
    ])
  })

  it('where the guard could not read, by its cover too, and nobody says that no guard runs', async () => {
    const findings = await spoilt(({ guard }) => {
      guard.reading!.isRead = false
      guard.reading!.uplinks[0]!.isCovered = false
    })
    expect(findings.find(({ check }) => check === 'uplink')).toMatchObject({
      verdict: 'warn',
      found: 'eth0 (card): link down, covered',
      todo: 'The guard has not read it back: journalctl -u groundlock-guard',
    })
  })

  it('and before the guard has looked, router advertisements mean nothing: it switches them off itself', async () => {
    const unseen =
      'pass local: eth1 has the card and no default route, as configured; the guard, which looks at more, has not seen it'
    const accepts = (made: MadeMachine) => made.write('/proc/sys/net/ipv6/conf/eth1/accept_ra', '1\n')
    const before = (made: MadeMachine) => (accepts(made), void (made.isGuardLive = false))
    expect(await interfaces(before)).toEqual([unseen])
    const first = (made: MadeMachine) => (accepts(made), void (made.guard.reading = null))
    expect(await interfaces(first)).toEqual([unseen])
    expect(await interfaces()).toEqual(['pass local: eth1 is what is configured, 192.168.7.0/24 only'])
  })
})
