/** Version checks: what is installed, and whether it is what this was tried with. */
import { readFileSync } from 'node:fs'
import { fail, notApplicable, pass, warn, type Answer, type Context, type Group } from './check.js'
import { boardOf } from './boot-checks.js'
import { firstLine, isAtLeast } from './kernel-checks.js'

export const VERSION_GROUP: Group = {
  name: 'versions',
  checks: [
    { name: 'groundlock', look: () => [pass(ownVersion())] },
    { name: 'configuration', look: lookAtConfiguration },
    { name: 'node', look: () => [nodeAnswer(process.versions.node)] },
    { name: 'kernel', look: lookAtKernel },
    { name: 'distribution', look: lookAtDistribution },
    { name: 'systemd', look: lookAtSystemd },
  ],
}

const OLDEST_NODE = [20, 19]
/** Debian 12's. */
const OLDEST_SYSTEMD = [252]
const OLDEST_DEBIAN = 12

/** The version of the package around this file, wherever the bundle lies. */
export function ownVersion(): string {
  for (const place of ['../package.json', '../../package.json']) {
    try {
      const manifest: unknown = JSON.parse(readFileSync(new URL(place, import.meta.url), 'utf8'))
      if (typeof manifest === 'object' && manifest !== null && 'version' in manifest)
        return String(manifest.version)
    } catch {
      // Not there: the next place.
    }
  }
  return 'not known'
}

export function nodeAnswer(version: string): Answer {
  return isAtLeast(version, OLDEST_NODE)
    ? pass(`Node ${version}`)
    : fail(
        `Node ${version} is older than ${OLDEST_NODE.join('.')}`,
        'sudo apt install nodejs on Debian 13, or Node 20 from nodejs.org',
      )
}

function lookAtConfiguration({ configurationPath, configurationTrouble }: Context): Answer[] {
  return configurationTrouble === null
    ? [pass(`${configurationPath} is valid`)]
    : [
        fail(
          configurationTrouble,
          `groundlock config check --config ${configurationPath}; what follows is for the defaults.`,
        ),
      ]
}

function lookAtKernel({ machine }: Context): Answer[] {
  const release = machine.text('/proc/sys/kernel/osrelease')?.trim()
  const board = boardOf(machine)
  return [
    release === undefined
      ? notApplicable('it cannot be read')
      : pass(`${release}${board === null ? '' : ` on ${board}`}`),
  ]
}

function lookAtDistribution({ machine }: Context): Answer[] {
  const text = machine.text('/etc/os-release') ?? machine.text('/usr/lib/os-release') ?? ''
  const value = (key: string) => new RegExp(`^${key}="?([^"\n]*)"?$`, 'm').exec(text)?.[1] ?? ''
  const name = value('PRETTY_NAME') || value('ID')
  if (name === '') return [notApplicable('it does not say what it is')]
  const isDebian = ['debian', 'raspbian'].includes(value('ID'))
  if (isDebian && Number(value('VERSION_ID')) >= OLDEST_DEBIAN) return [pass(name)]
  return [
    warn(`${name} was not tried`, `Debian ${OLDEST_DEBIAN} or later, or Raspberry Pi OS of the same base.`),
  ]
}

async function lookAtSystemd({ machine }: Context): Promise<Answer[]> {
  const ran = await machine.run('systemctl', ['--version'])
  const version = /^systemd (\d+)/.exec(ran?.stdout ?? '')?.[1]
  if (version === undefined)
    return [notApplicable('it is not here; groundlock run and groundlock guard work by hand')]
  return [
    isAtLeast(version, OLDEST_SYSTEMD)
      ? pass(firstLine(ran!.stdout))
      : warn(`systemd ${version} was not tried`, 'Debian 12 has 252.'),
  ]
}
