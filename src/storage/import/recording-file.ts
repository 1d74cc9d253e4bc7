/**
 * Recording file: a file that others made, read in parts, and what must be known of it before it is imported.
 */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { Fault, reasonOf } from '../../base/fault.js'
import type { Dialect } from '../../mavlink/dialect.js'
import { FormatGuess, looksLike } from './recording-format.js'
import type { RecordingFormat } from './recording-format.js'

/** How much of a file is read at once (bytes). */
const READ_BYTES = 256 * 1024
/** After this many frames it is clear what a file is (frames). */
const ENOUGH_FRAMES = 10_000
/** First bytes of a file by which it is named when it holds no frame. */
const HEAD_BYTES = 4096

/** What reading a file once tells of it. */
export interface Inspection {
  bytes: number
  sha256: string
  /** What it looks like, and whether there is no doubt of that. */
  format: RecordingFormat
  isClear: boolean
}

/** Reads the file once. Errors: a Fault where it cannot be read, or holds no frame. */
export async function inspect(
  path: string,
  dialect: Dialect,
  signal: AbortSignal | undefined,
): Promise<Inspection> {
  const hash = createHash('sha256')
  const guess = new FormatGuess(dialect.byId)
  let head = new Uint8Array(0)
  let bytes = 0
  for await (const part of partsOf(path, signal)) {
    if (bytes === 0) head = part.slice(0, HEAD_BYTES)
    bytes += part.length
    hash.update(part)
    if (guess.frames < ENOUGH_FRAMES) guess.push(part)
  }
  const format = guess.end()
  if (guess.frames === 0) throw noFrameFault(path, head)
  return { bytes, sha256: hash.digest('hex'), format, isClear: guess.isClear }
}

/** The bytes of the file, in order; each part is borrowed until the next. Errors: a Fault; what `signal` aborts with. */
export async function* partsOf(path: string, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  // Without waiting: a named pipe that nobody writes to would never open.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    throw readFault(path, cause)
  })
  try {
    const stat = await file.stat()
    if (!stat.isFile())
      throw readFault(path, new Error(stat.isDirectory() ? 'it is a folder' : 'it is no plain file'))
    const buffer = new Uint8Array(READ_BYTES)
    for (;;) {
      signal?.throwIfAborted()
      const { bytesRead } = await file.read(buffer, 0, READ_BYTES).catch((cause: unknown) => {
        throw readFault(path, cause)
      })
      if (bytesRead === 0) return
      yield buffer.subarray(0, bytesRead)
    }
  } finally {
    await file.close()
  }
}

export function readFault(path: string, cause: unknown): Fault {
  return new Fault({
    code: 'GL-IMPORT-01',
    op: 'read the recording',
    subject: path,
    found: reasonOf(cause),
    hint: 'Give the path of a .tlog file or of a raw MAVLink stream that this user may read.',
    recovery: 'user',
    cause,
  })
}

function noFrameFault(path: string, head: Uint8Array): Fault {
  return new Fault({
    code: 'GL-IMPORT-02',
    op: 'import',
    subject: path,
    found: `it holds no valid MAVLink frame; it looks like ${looksLike(head)}`,
    hint: 'A recording is a .tlog of a ground station or the bytes of a telemetry link as they came.',
    recovery: 'user',
  })
}

export function changedFault(path: string): Fault {
  return new Fault({
    code: 'GL-IMPORT-03',
    op: 'import',
    subject: path,
    found: 'the file changed while it was read',
    hint: 'Import it again when nothing writes to it any more.',
    recovery: 'user',
  })
}
