/** Radios of uplinks, on a tree of files as the kernel shows them. On real radios: leak-wifi.test.ts. */
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { BlockedRadios } from '../../../src/hw/door/blocked-radios.js'
import { isBlocked, radiosOf, setBlocked } from '../../../src/hw/door/radio.js'
import type { RadioPlaces } from '../../../src/hw/door/radio.js'
import { keptLog } from '../../support/fake-gpio.js'
import { temporaryFolder } from '../../support/temporary-folder.js'

const folder = temporaryFolder('radio')

const wlan0 = { ifindex: 3, name: 'wlan0' }
const ap0 = { ifindex: 4, name: 'ap0' }
const wlan1 = { ifindex: 5, name: 'wlan1' }
const eth0 = { ifindex: 2, name: 'eth0' }

/** phy0 with wlan0 and ap0 is rfkill7, phy1 with wlan1 is rfkill8; eth0 has no radio. */
function made(): RadioPlaces {
  const sys = mkdtempSync(join(folder, 'sys-'))
  const radios = { phy0: { rfkill: 7, interfaces: [wlan0, ap0] }, phy1: { rfkill: 8, interfaces: [wlan1] } }
  mkdirSync(join(sys, 'class/net/eth0'), { recursive: true })
  writeFileSync(join(sys, 'class/net/eth0/ifindex'), '2\n')
  for (const [phy, { rfkill, interfaces }] of Object.entries(radios)) {
    mkdirSync(join(sys, `class/ieee80211/${phy}/rfkill${rfkill}`), { recursive: true })
    mkdirSync(join(sys, `class/rfkill/rfkill${rfkill}`), { recursive: true })
    writeFileSync(join(sys, `class/rfkill/rfkill${rfkill}/soft`), '0\n')
    writeFileSync(join(sys, `class/rfkill/rfkill${rfkill}/hard`), '0\n')
    symlinkSync(`../../ieee80211/${phy}`, join(sys, `class/rfkill/rfkill${rfkill}/device`))
    mkdirSync(join(sys, `devices/${phy}-of-the-board`), { recursive: true })
    symlinkSync(`../../../devices/${phy}-of-the-board`, join(sys, `class/ieee80211/${phy}/device`))
    for (const { name, ifindex } of interfaces) {
      mkdirSync(join(sys, `class/net/${name}`))
      writeFileSync(join(sys, `class/net/${name}/ifindex`), `${ifindex}\n`)
      symlinkSync(`../../ieee80211/${phy}`, join(sys, `class/net/${name}/phy80211`))
    }
  }
  const device = join(sys, 'rfkill')
  writeFileSync(device, '')
  return { sys, device }
}

describe('the radios of uplinks', () => {
  it.each([
    ['by their rfkill index', [wlan0, wlan1, eth0], [], [7, 8]],
    ['each once', [wlan0, ap0], [], [7]],
    ['not one that a local interface uses as well', [wlan0, wlan1], [ap0], [8]],
    ['none of an interface without one', [eth0], [], []],
    [
      'none of an interface that is another here: /sys of another namespace',
      [{ ...wlan0, ifindex: 9 }],
      [],
      [],
    ],
    ['none of a name that leads elsewhere', [{ ifindex: 3, name: '../net/wlan0' }], [], []],
  ])('%s', (_, uplinks, locals, expected) => {
    expect(radiosOf(uplinks, locals, made())).toEqual(expected)
  })

  it('are asked for one by one: index, radio of any type, change, soft block', () => {
    const places = made()
    expect(setBlocked(7, true, places)).toBe(null)
    expect([...readFileSync(places.device)]).toEqual([7, 0, 0, 0, 0, 2, 1, 0])
    expect(setBlocked(258, false, places)).toBe(null)
    expect([...readFileSync(places.device)]).toEqual([2, 1, 0, 0, 0, 2, 0, 0])
  })

  it('are off by software or by a switch of their own, and on where nothing says so', () => {
    const places = made()
    expect(isBlocked(7, places)).toBe(false)
    writeFileSync(join(places.sys, 'class/rfkill/rfkill7/hard'), '1\n')
    expect(isBlocked(7, places)).toBe(true)
    writeFileSync(join(places.sys, 'class/rfkill/rfkill8/soft'), '1\n')
    expect(isBlocked(8, places)).toBe(true)
    expect(isBlocked(99, places)).toBe(false)
  })

  it('that cannot be switched say why', () => {
    expect(setBlocked(7, true, { sys: '/nowhere', device: '/nowhere/rfkill' })).toMatch(/^rfkill7: /)
  })
})

describe('the radios that the guard switched off', () => {
  /** As the kernel does: what was asked for last stands in its files. */
  function obey({ sys, device }: RadioPlaces): void {
    const event = readFileSync(device)
    if (event.length > 0) writeFileSync(join(sys, `class/rfkill/rfkill${event[0]}/soft`), `${event[6]}\n`)
    writeFileSync(device, '')
  }
  const asked = ({ device }: RadioPlaces) => [...readFileSync(device)].filter((_, at) => [0, 6].includes(at))
  const file = (places: RadioPlaces) => join(places.sys, 'state/radios')
  const text = (places: RadioPlaces) => readFileSync(file(places), 'utf8')

  it('are switched on again by another guard, as what they are part of, whatever their number is by then', async () => {
    const places = made()
    new BlockedRadios(file(places), keptLog(), places).block(7)
    expect(asked(places)).toEqual([7, 1])
    obey(places)
    await vi.waitFor(() =>
      expect(text(places)).toBe(`${realpathSync(join(places.sys, 'devices/phy0-of-the-board'))}\n`),
    )
    renameSync(join(places.sys, 'class/rfkill/rfkill7'), join(places.sys, 'class/rfkill/rfkill3'))
    new BlockedRadios(file(places), keptLog(), places).giveBack()
    expect(asked(places)).toEqual([3, 0])
    await vi.waitFor(() => expect(text(places)).toBe(''))
  })

  it('are no others: what was off before stays off', () => {
    const places = made()
    writeFileSync(join(places.sys, 'class/rfkill/rfkill8/soft'), '1\n')
    const radios = new BlockedRadios(file(places), keptLog(), places)
    radios.block(8)
    radios.giveBack()
    expect(asked(places)).toEqual([])
  })

  it('one that is not plugged in now is given back when it is', async () => {
    const places = made()
    new BlockedRadios(file(places), keptLog(), places).block(7)
    obey(places)
    const [there, away] = [join(places.sys, 'class/rfkill/rfkill7'), join(places.sys, 'away')]
    await vi.waitFor(() => text(places))
    renameSync(there, away)
    const radios = new BlockedRadios(file(places), keptLog(), places)
    radios.giveBack()
    expect(asked(places)).toEqual([])
    renameSync(away, there)
    radios.giveBack()
    expect(asked(places)).toEqual([7, 0])
  })

  it('are remembered where they cannot be noted, and that is said', async () => {
    const places = made()
    const log = keptLog()
    const radios = new BlockedRadios('/dev/null/radios', log, places)
    radios.block(7)
    obey(places)
    await vi.waitFor(() => expect(log.lines.join()).toContain('cannot write /dev/null/radios'))
    radios.giveBack()
    expect(asked(places)).toEqual([7, 0])
  })

  it('are none that could not be switched off, until it could', async () => {
    const places = made()
    const phy0 = `${realpathSync(join(places.sys, 'devices/phy0-of-the-board'))}\n`
    mkdirSync(join(places.sys, 'state'))
    writeFileSync(file(places), phy0) // a guard before this one
    renameSync(places.device, `${places.device}-away`)
    const radios = new BlockedRadios(file(places), keptLog(), places)
    radios.block(7)
    await vi.waitFor(() => expect(text(places)).toBe(''))
    renameSync(`${places.device}-away`, places.device)
    radios.giveBack()
    expect(asked(places)).toEqual([])
    radios.block(7)
    expect(asked(places)).toEqual([7, 1])
    await vi.waitFor(() => expect(text(places)).toBe(phy0))
  })

  it('where one is refused again and again, that is told once and its file is left alone', async () => {
    const places = made()
    const log = keptLog()
    // Each time that this file is written, that fails, and is told.
    const radios = new BlockedRadios('/dev/null/radios', log, places)
    const told = (what: string) => log.lines.filter((line) => line.includes(what)).length
    renameSync(places.device, `${places.device}-away`)
    for (let second = 0; second < 20; second++) [7, 8].forEach((index) => radios.block(index))
    expect(told('a radio was not switched off: rfkill7')).toBe(1)
    expect(told('a radio was not switched off: rfkill8')).toBe(1)
    renameSync(`${places.device}-away`, places.device)
    radios.block(8)
    await vi.waitFor(() => expect(log.lines.at(-1)).toContain('; 1 radios that are off'))
    // Each of both was noted and taken back; then the one that could be switched off was noted.
    expect(told('cannot write')).toBe(5)
  })
})
