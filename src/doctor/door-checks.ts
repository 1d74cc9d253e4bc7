/** Door checks: whether the guard runs and what it reads back, and what of the rules is loaded, seen without its help. */
import { AS_ROOT, fail, notApplicable, pass, warn, type Answer, type Context, type Group } from './check.js'
import { firstLine } from './kernel-checks.js'

export const DOOR_GROUP: Group = {
  name: 'door',
  checks: [
    { name: 'guard', look: lookAtGuard },
    { name: 'layers', look: lookAtLayers },
    { name: 'witness', look: lookAtWitness },
    { name: 'base rules', look: lookAtBase },
    { name: 'other tables', look: lookAtOthers },
  ],
}

const FAMILIES = ['inet', 'arp', 'bridge']

function lookAtGuard({ guard }: Context): Answer[] {
  if (guard.state === 'absent')
    return [
      fail(
        `it does not run: ${guard.why}`,
        'sudo systemctl start groundlock-guard; journalctl -u groundlock-guard',
      ),
    ]
  if (guard.state !== 'live' || guard.status === null)
    return [fail(`it does not say how it is: ${guard.why}`, 'journalctl -u groundlock-guard')]
  const { door, reason } = guard.status
  return door === 'fault'
    ? [
        fail(
          `the door is in fault: ${reason}`,
          'Mend that, then turn the switch to SHUT: groundlock status says what it waits for.',
        ),
      ]
    : [pass(`the door is ${door}: ${reason}`)]
}

function lookAtLayers({ guard }: Context): Answer[] {
  const reading = guard.state === 'live' ? guard.status?.reading : undefined
  if (!reading || !guard.status) return [notApplicable('only a guard that runs reads them back')]
  const { layers } = reading
  if (reading.problems.length > 0)
    return reading.problems.map((problem) => fail(problem, 'journalctl -u groundlock-guard says since when.'))
  // While permitted the twin and the link down are lifted on purpose.
  const wanted =
    guard.status.door === 'permitted'
      ? (['base', 'netdev'] as const)
      : (['base', 'netdev', 'twin', 'linkDown'] as const)
  const missing = wanted.filter((layer) => !layers[layer])
  return missing.length === 0
    ? [pass(`${wanted.join(', ')} as they should be`)]
    : [fail(`not in place: ${missing.join(', ')}`, 'journalctl -u groundlock-guard')]
}

function lookAtWitness({ guard }: Context): Answer[] {
  if (guard.state !== 'live' || guard.status === null)
    return [notApplicable('only a guard that runs watches')]
  const { witness, canary } = guard.status
  const grew = witness.growth.map(({ name, packets }) => `${name} sent ${packets} packets`).join(', ')
  if (witness.state === 'grew')
    return [
      fail(
        `while shut: ${grew}`,
        'Something sends past the firewall: look for programs that run as root, then pull the plug of that uplink.',
      ),
    ]
  if (canary === 'passed')
    return [
      fail(
        'the canary was not dropped',
        'The rules are not evaluated as they should be: sudo nft list ruleset',
      ),
    ]
  if (canary === 'broken')
    return [warn('the canary cannot be sent', 'journalctl -u groundlock-guard says why.')]
  return [pass(canary === null ? 'still; the canary was not yet sent' : 'still; the canary was dropped')]
}

/** The tables by `family name`; null where they cannot be listed. */
async function tablesOf({ machine }: Context): Promise<string[] | Answer> {
  if (!machine.isRoot) return notApplicable('who is not root may not list rules', AS_ROOT)
  const ran = await machine.run('nft', ['list', 'tables'])
  if (ran === null) return notApplicable('nft is not installed')
  if (ran.code !== 0)
    return fail(`nft cannot list them: ${firstLine(ran.stderr)}`, 'Try it: sudo nft list tables')
  return [...ran.stdout.matchAll(/^table (\S+ \S+)$/gm)].map((match) => match[1]!)
}

async function lookAtBase(context: Context): Promise<Answer[]> {
  const tables = await tablesOf(context)
  if (!Array.isArray(tables)) return [tables]
  const missing = FAMILIES.filter((family) => !tables.includes(`${family} groundlock`))
  return missing.length === 0
    ? [pass(`loaded in ${FAMILIES.join(', ')}`)]
    : [
        fail(
          `not loaded in ${missing.join(', ')}: nothing keeps the uplinks shut there`,
          'sudo systemctl start groundlock-lockdown; systemctl status groundlock-lockdown says why it was not.',
        ),
      ]
}

async function lookAtOthers(context: Context): Promise<Answer[]> {
  const tables = await tablesOf(context)
  if (!Array.isArray(tables)) return [notApplicable(tables.found, tables.todo)]
  const others = tables.filter((table) => !/ groundlock(?:_\w+)?$/.test(table))
  if (others.length === 0) return [pass('none: nobody else has rules here')]
  return [pass(`${others.join(', ')}; what is accepted there is still dropped by ours`)]
}
