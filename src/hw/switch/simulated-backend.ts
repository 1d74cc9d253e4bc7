/**
 * Simulated backend: a file in place of the contacts, for tests, the demo and a first try without a board.
 * Its text is a position (`shut`, `permit`, `doubt`) or the contacts themselves (`permit=closed shut=open`).
 * `auto` never picks it: it is what the configuration names, or it is not there.
 */
import { constants, watch, type FSWatcher } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { SwitchConfiguration } from '../../base/configuration.js'
import { Fault, errnoOf, reasonOf } from '../../base/fault.js'
import { MOVING_RE_READ_MS, RE_READ_MS, type Backend, type BackendOptions } from './backend.js'
import { positionOf } from './position-filter.js'
import type { Contacts } from './reading.js'

/** Longest text that means something, and some white space (bytes). */
const MAX_TEXT_BYTES = 64

/** An empty file is one that is just being written; it is read again after this (ms). */
const EMPTY_PAUSE_MS = 20

/** Group and others may write. */
const WRITABLE_BY_MANY = 0o022

export async function openSimulated(
  { file, wiring }: SwitchConfiguration,
  { log, listener, isInstalledUnit }: BackendOptions & { isInstalledUnit: boolean },
): Promise<Backend> {
  const state = { isStopped: false, askCount: 0 }
  let timer: NodeJS.Timeout | undefined
  let reading: Promise<void> | undefined

  /** One reading at a time; what changes during one is read after it. */
  const read = async () => {
    const { askCount } = state
    const found = await readSwitchFile(file, isInstalledUnit)
    reading = undefined
    if (state.isStopped) return
    if (typeof found === 'string') listener.trouble(found)
    else listener.sample(found)
    clearTimeout(timer)
    const isMoving = typeof found !== 'string' && positionOf(found, wiring) === 'between'
    if (state.askCount !== askCount) readSoon()
    else timer = setTimeout(readSoon, isMoving ? MOVING_RE_READ_MS : RE_READ_MS + 1)
  }
  const readSoon = () => {
    state.askCount++
    reading ??= read()
  }
  const watcher = watchFolder(file, readSoon)
  if (isInstalledUnit) log.warn(`the switch is SIMULATED: whoever writes ${file} opens the door`)
  readSoon()
  await reading
  return {
    name: `simulated: ${file}`,
    async stop() {
      state.isStopped = true
      clearTimeout(timer)
      watcher.close()
      await reading
    },
  }
}

/** The folder, not the file: a file that is replaced by a rename is another one. */
function watchFolder(file: string, onChange: () => void): FSWatcher {
  try {
    const watcher = watch(dirname(file), (_, name) => {
      if (name === basename(file)) onChange()
    })
    // The re-reading goes on; it finds a folder that is gone.
    watcher.on('error', () => watcher.close())
    return watcher
  } catch (cause) {
    throw new Fault({
      code: 'GL-SWITCH-05',
      op: 'watch the simulated switch',
      subject: file,
      found: reasonOf(cause),
      hint: `Make its folder, or name another file in [switch]: sudo mkdir -p ${dirname(file)}`,
      recovery: 'user',
      cause,
    })
  }
}

/** The contacts, or in words why there are none. */
async function readSwitchFile(file: string, isStrict: boolean): Promise<Contacts | string> {
  try {
    // A pipe in its place would keep a plain opening waiting for a writer.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const about = await handle.stat()
      if (!about.isFile()) return `${file} is not a file`
      const { uid, mode } = about
      if (isStrict && ![0, process.geteuid?.()].includes(uid)) return `${file} is another user's file`
      if (isStrict && (mode & WRITABLE_BY_MANY) !== 0) return `others may write ${file}`
      let text = await textOf(handle)
      if (text === '') {
        await delay(EMPTY_PAUSE_MS)
        text = await textOf(handle)
      }
      return contactsOf(text)
    } finally {
      await handle.close()
    }
  } catch (error) {
    return errnoOf(error) === 'ENOENT' ? `no file ${file}` : `${file}: ${reasonOf(error)}`
  }
}

async function textOf(handle: FileHandle): Promise<string> {
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(MAX_TEXT_BYTES), 0, MAX_TEXT_BYTES, 0)
  return buffer.toString('utf8', 0, bytesRead)
}

/** What the text says. Pure. */
export function contactsOf(text: string): Contacts | string {
  const words = text.trim()
  if (words === 'shut') return { permit: 'open', shut: 'closed' }
  if (words === 'permit') return { permit: 'closed', shut: 'open' }
  if (words === 'doubt') return 'the simulated switch says doubt'
  const raw = /^permit=(closed|open) shut=(closed|open)$/.exec(words)
  if (raw === null) return 'the simulated switch says nothing that is known'
  return {
    permit: raw[1] === 'closed' ? 'closed' : 'open',
    shut: raw[2] === 'closed' ? 'closed' : 'open',
  }
}
