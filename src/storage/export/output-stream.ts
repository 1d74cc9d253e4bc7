/**
 * Output stream: an export that goes to the standard output, for the program behind a pipe.
 *
 * Errors: Fault GL-EXPORT-06 there is more than one file to write.
 */
import { once } from 'node:events'
import { Fault } from '../../base/fault.js'
import { OutputFiles } from './output.js'
import type { Output, Sink, Written } from './output.js'

/** The path that means the standard output. */
export const STDOUT_PATH = '-'

/** What writes to the path: files, or the standard output. */
export function outputAt(path: string, force: boolean): Output {
  return path === STDOUT_PATH ? new OutputStream() : new OutputFiles(force)
}

class OutputStream implements Output {
  #bytes = 0
  #isTaken = false

  create(): Sink {
    if (this.#isTaken) throw severalFault()
    this.#isTaken = true
    return {
      write: (bytes) => {
        if (bytes.length === 0) return
        this.#bytes += bytes.length
        // The bytes are borrowed, and a pipe may take them later. Not `slice`, which of a Buffer makes no copy.
        process.stdout.write(Buffer.from(bytes))
      },
    }
  }

  /** Waits for the reader; one that has gone ends the process (see main.ts). */
  async drained(signal: AbortSignal | undefined): Promise<void> {
    if (process.stdout.writableNeedDrain)
      await once(process.stdout, 'drain', signal === undefined ? {} : { signal })
  }

  commit(): Written[] {
    return [{ path: STDOUT_PATH, bytes: this.#bytes }]
  }

  /** What was read cannot be taken back; the exit code tells. */
  discard(): void {}
}

function severalFault(): Fault {
  return new Fault({
    code: 'GL-EXPORT-06',
    op: 'write to',
    subject: 'the standard output',
    found: 'this export makes more than one file',
    hint: 'Name a file with --out, or narrow it: of several links to one by --link, before or after a clock step by --to or --from.',
    recovery: 'user',
  })
}
