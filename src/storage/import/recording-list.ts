/**
 * Recording list: which files an import is about, from paths that may be folders.
 *
 * A file that is named is always taken. Of a folder and the folders in it those are taken that are called like a
 * recording; all others are counted, by their endings, so that a person sees what was left out.
 */
import { readdirSync, statSync } from 'node:fs'
import type { Dirent, Stats } from 'node:fs'
import { extname, join } from 'node:path'
import { Fault } from '../../base/fault.js'
import { readFault } from './recording-file.js'

/**
 * What recordings are called: `.tlog` by all ground stations, `.raw` by MAVProxy, `.rlog` by Mission Planner. Not `.bin`:
 * by that name autopilots keep DataFlash logs, which hold no MAVLink.
 */
export const RECORDING_ENDINGS: readonly string[] = ['.tlog', '.raw', '.rlog']

export interface Listed {
  path: string
  /** 0 where it cannot be told. */
  bytes: number
  /** A folder that cannot be read, or has no recording in it. */
  fault?: Fault
}

export interface RecordingList {
  files: Listed[]
  /** Files in folders that are not taken: how many, by their endings or by what else is against them. */
  leftOut: Map<string, number>
}

/** The files of a folder come by name. Never throws: what is wrong with a path stands with it. */
export function listRecordings(paths: readonly string[]): RecordingList {
  const list: RecordingList = { files: [], leftOut: new Map() }
  for (const path of paths) {
    const stat = statOf(path)
    if (stat?.isDirectory() !== true) {
      list.files.push({ path, bytes: stat?.size ?? 0 })
      continue
    }
    const before = list.files.length
    addFolder(path, list)
    if (list.files.length === before) list.files.push({ path, bytes: 0, fault: emptyFault(path) })
  }
  return list
}

function addFolder(folder: string, list: RecordingList): void {
  let entries: Dirent[]
  try {
    entries = readdirSync(folder, { withFileTypes: true })
  } catch (cause) {
    list.files.push({ path: folder, bytes: 0, fault: readFault(folder, cause) })
    return
  }
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const { name } = entry
    const path = join(folder, name)
    // Hidden ones are the system's: `._flight.tlog` is what macOS leaves on other disks beside `flight.tlog`.
    const isHidden = name.startsWith('.')
    // A link to a folder is not followed: it may lead back here.
    if (entry.isDirectory()) {
      if (!isHidden) addFolder(path, list)
      continue
    }
    const ending = extname(name).toLowerCase()
    const isCalled = RECORDING_ENDINGS.includes(ending)
    const stat = isCalled && !isHidden ? statOf(path) : undefined
    if (stat?.isFile() === true) {
      list.files.push({ path, bytes: stat.size })
      continue
    }
    const kind = isHidden ? 'hidden' : isCalled ? 'no plain file' : ending || 'without an ending'
    list.leftOut.set(kind, (list.leftOut.get(kind) ?? 0) + 1)
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    // Why is told by the one who reads it.
    return undefined
  }
}

function emptyFault(path: string): Fault {
  return new Fault({
    code: 'GL-IMPORT-06',
    op: 'import',
    subject: path,
    found: `no file in that folder is called ${RECORDING_ENDINGS.join(', ')}`,
    hint: 'Name the folder that holds the recordings; a file of another name is taken if it is named itself.',
    recovery: 'user',
  })
}
