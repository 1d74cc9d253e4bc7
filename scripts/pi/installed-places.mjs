#!/usr/bin/env node
/**
 * Installed places: whether the installed units can use the folders and files that a configuration names (they see and write little
 * of the system), and the drop-in that lets the station write to a vault elsewhere.
 * Usage: groundlock config check --json | installed-places.mjs. Prints nothing where the vault lies where the unit has it; else its
 * folder in the first line, and the drop-in. Exit 1: one cannot be used; each is said on stderr with what is expected.
 */
import { readFileSync } from 'node:fs'
import { posix } from 'node:path'

const { configuration } = JSON.parse(readFileSync(0, 'utf8'))
const { station, vault, guard, switch: contacts } = configuration

/** Fixed in the units, in tmpfiles.conf and in `shut`. */
const FIXED = [
  ['station.run_dir', station.runDir, '/run/groundlock/station'],
  ['guard.run_dir', guard.runDir, '/run/groundlock/guard'],
  ['guard.state_dir', guard.stateDir, '/var/lib/groundlock-guard'],
  ['guard.token', guard.token, '/run/groundlock/token/link'],
]

/** PrivateTmp and ProtectHome of the units: there they see folders of their own, or none. */
const UNSEEN = ['/tmp', '/var/tmp', '/home', '/root', '/run/user']
/** The system's own, or gone after a boot. */
const NO_VAULT = [...UNSEEN, '/run', '/dev', '/proc', '/sys', '/usr', '/etc', '/boot']

const isBelow = (path, folder) => path === folder || path.startsWith(`${folder}/`)
const plain = (path) => posix.resolve('/', path)

function troubles() {
  const found = FIXED.filter(([, path, expected]) => plain(path) !== expected).map(
    ([key, path, expected]) =>
      `${key}: found "${path}", expected "${expected}", where the installed units have it. Take the line out.`,
  )
  const { file, backend } = contacts
  if (backend === 'simulated' && UNSEEN.some((folder) => isBelow(plain(file), folder)))
    found.push(
      `switch.file: found "${file}", expected a file that the guard's unit sees, such as "/run/groundlock/guard/switch" ` +
        `(not below ${UNSEEN.join(', ')}).`,
    )
  const dir = plain(vault.dir)
  if (dir === '/' || NO_VAULT.some((folder) => isBelow(dir, folder)))
    found.push(
      `vault.dir: found "${vault.dir}", expected a folder that the station's unit may write to and that outlasts a boot, such as ` +
        `"/mnt/ssd/vault" (not below ${NO_VAULT.join(', ')}).`,
    )
  // Characters that mean something in a unit file.
  if (/["\\\p{Cc}]/u.test(dir))
    found.push(
      `vault.dir: found ${JSON.stringify(dir)}, expected no quotes, backslashes or control characters.`,
    )
  return found
}

/** systemd.unit(5): quoted for its spaces, and a percent sign begins a specifier. */
const unitWord = (path) => `"${path.replaceAll('%', '%%')}"`

const found = troubles()
for (const trouble of found) console.error(trouble)
if (found.length > 0) process.exit(1)

const dir = plain(vault.dir)
// What the unit's StateDirectory= makes writable.
if (!isBelow(dir, '/var/lib/groundlock'))
  console.log(`${dir}
# vault.dir in /etc/groundlock/groundlock.toml. Written and removed by scripts/install.
[Unit]
RequiresMountsFor=${unitWord(dir)}

[Service]
ReadWritePaths=${unitWord(dir)}`)
