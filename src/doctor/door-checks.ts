/** Door checks: whether the guard runs and what it reads back, and what of the rules is loaded, seen without its help. */
import { doorWord } from '../base/guard-status.js'
import { AS_ROOT, fail, notApplicable, pass, warn, type Answer, type Context, type Group } from './check.js'
import { parseListing } from '../hw/door/listing.js'
import { policyOf } from '../hw/door/policy.js'
import { BASE, FAMILIES, isOurTable, rulesetText } from '../hw/door/ruleset.js'
import { INSTALL, isInstalled } from './installation.js'
import { firstLine } from './kernel-checks.js'

export const DOOR_GROUP: Group = {
  name: 'door',
  checks: [
    { name: 'service', look: lookAtService },
    { name: 'guard', look: lookAtGuard },
    { name: 'layers', look: lookAtLayers },
    { name: 'witness', look: lookAtWitness },
    { name: 'base rules', look: lookAtBase },
    { name: 'other tables', look: lookAtOthers },
  ],
}

function lookAtService({ machine }: Context): Answer[] {
  return isInstalled(machine)
    ? []
    : [fail('Groundlock is not installed as a service: nothing shuts when this machine boots', INSTALL)]
}

function lookAtGuard({ guard, machine }: Context): Answer[] {
  if (guard.state === 'absent' && !isInstalled(machine)) return [notApplicable('it is not installed')]
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
    : [pass(`the door is ${doorWord(guard.status)}: ${reason}`)]
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

/** The tables by `family name`, or why they cannot be listed. */
async function tablesOf({ machine }: Context): Promise<string[] | Answer> {
  if (!machine.isRoot) return notApplicable('who is not root may not list rules', AS_ROOT)
  const ran = await machine.run('nft', ['list', 'tables'])
  if (ran === null) return notApplicable('nft is not installed')
  if (ran.code !== 0)
    return fail(`nft cannot list them: ${firstLine(ran.stderr)}`, 'Try it: sudo nft list tables')
  return [...ran.stdout.matchAll(/^table (\S+ \S+)$/gm)].map((match) => match[1]!)
}

/** What is loaded against what this version would load, both as this kernel and this nft list them. */
async function lookAtBase(context: Context): Promise<Answer[]> {
  const tables = await tablesOf(context)
  if (!Array.isArray(tables)) return [tables]
  const missing = FAMILIES.filter((family) => !tables.includes(`${family} ${BASE}`))
  if (missing.length > 0) {
    const found = `not loaded in ${missing.join(', ')}: nothing keeps the uplinks shut there`
    const reload = `${RELOAD}; systemctl status groundlock-lockdown says why it was not.`
    return [fail(found, isInstalled(context.machine) ? reload : INSTALL)]
  }
  const [real, wanted] = [await loadedBase(context), await expectedBase(context)]
  if (real === null || wanted === null)
    return [pass(`loaded in ${FAMILIES.join(', ')}; it could not be compared`)]
  const other = FAMILIES.filter((family) => real.get(family) !== wanted.get(family))
  if (other.length === 0) return [pass(`loaded in ${FAMILIES.join(', ')}, rule for rule`)]
  return [fail(`what is loaded in ${other.join(', ')} is not what this version loads`, RELOAD)]
}

const RELOAD = 'sudo systemctl reload-or-restart groundlock-lockdown'

async function loadedBase({ machine }: Context): Promise<Map<string, string> | null> {
  return structures((await machine.run('nft', ['list', 'ruleset']))?.stdout ?? '')
}

/** Loaded into an empty network namespace, which is gone when it was listed. */
async function expectedBase({ machine, configuration }: Context): Promise<Map<string, string> | null> {
  const text = rulesetText(policyOf(configuration.uplink))
  const ran = await machine.run('unshare', ['-n', 'sh', '-c', 'nft -f - && nft list ruleset'], text)
  return structures(ran?.code === 0 ? ran.stdout : '')
}

function structures(text: string): Map<string, string> | null {
  const listing = parseListing(text)
  if (listing === null) return null
  const base = [...listing.ours.values()].filter(({ name }) => name === BASE)
  return new Map(base.map(({ family, structure }) => [family, structure]))
}

async function lookAtOthers(context: Context): Promise<Answer[]> {
  const tables = await tablesOf(context)
  if (!Array.isArray(tables)) return [notApplicable(tables.found, tables.todo)]
  const others = tables.filter((table) => !isOurTable(table.split(' ')[1] ?? ''))
  if (others.length === 0) return [pass('none: nobody else has rules here')]
  return [pass(`${others.join(', ')}; what is accepted there is still dropped by ours`)]
}
