/**
 * System calls: what a program did to the files below a folder, in order and with its data, as `strace` saw it.
 * A call without an answer (the process was killed in it) has no result; who replays has to look what became of it.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'

export interface SystemCall {
  name: string
  /** Arguments that are not bytes, as strace writes them; paths are plain and absolute. */
  words: string[]
  /** What a write wrote. */
  bytes: Buffer
  /** What it returned; undefined where it never did. */
  result: number | undefined
}

/** The file or folder that the call is about. */
export function pathOf({ name, words }: SystemCall): string {
  return words[name === 'openat' ? 1 : 0]!
}

/** Everything that changes a file, a name or a permission. Calls that no model knows are traced too: they must be seen. */
const CHANGING = [
  'openat,open,creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,fsync,fdatasync,sync_file_range',
  'rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,symlink,symlinkat,chmod,fchmod,fchmodat',
  'sendfile,copy_file_range,splice,io_uring_enter,sync,syncfs',
].join()

/** Longest write that is seen whole (bytes): a new tail is made with one of 4 MiB. */
const MOST_BYTES = 16 * 1024 * 1024

/** Why system calls cannot be watched here, for the name of what is skipped; null where they can. */
export const straceReason: string | null =
  spawnSync('strace', ['-f', '-e', 'trace=openat', 'true']).status === 0
    ? null
    : 'strace is missing, or may not watch a process here'

/** Runs a Node program to its end, however that comes; returns what it did below `folder`, and what it said. */
export async function traceNode(
  args: readonly string[],
  folder: string,
  log: string,
): Promise<{ calls: SystemCall[]; stderr: string }> {
  // With the filter in the kernel only the traced calls stop the program.
  const strace = [
    '-f',
    '--seccomp-bpf',
    '-y',
    '-xx',
    '-s',
    String(MOST_BYTES),
    '-e',
    'signal=none',
    '-e',
    `trace=${CHANGING}`,
  ]
  // Calls that go through a ring in memory are not seen as calls.
  const env = { ...process.env, UV_USE_IO_URING: '0', UV_THREADPOOL_SIZE: '16' }
  const child = spawn('strace', [...strace, '-o', log, process.execPath, ...args], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  await once(child, 'close')
  return { calls: callsBelow(folder, readFileSync(log)), stderr }
}

/** The calls of a log that name something below `folder` and did not fail, in the order in which they returned. */
export function callsBelow(folder: string, log: Buffer): SystemCall[] {
  const mark = Buffer.from(hexOf(folder))
  const calls: SystemCall[] = []
  /** Of each thread, the call that it is in. */
  const begun = new Map<string, Buffer>()
  for (let at = 0; at < log.length;) {
    const end = log.indexOf(10, at)
    if (end === -1) break
    const line = log.subarray(at, end)
    at = end + 1
    const [thread = '', resumed] =
      /^(\d+) +(<\.\.\. \w+ resumed>)?/.exec(line.toString('latin1', 0, 60))?.slice(1) ?? []
    if (resumed !== undefined) {
      const before = begun.get(thread)
      begun.delete(thread)
      const rest = line.subarray(line.indexOf('resumed>') + 8)
      if (before !== undefined) add(calls, Buffer.concat([before, rest]))
    } else if (line.includes(mark)) {
      const unfinished = line.lastIndexOf(' <unfinished ...>')
      if (unfinished === -1) add(calls, line)
      else begun.set(thread, line.subarray(0, unfinished))
    }
  }
  for (const line of begun.values()) add(calls, Buffer.concat([line, Buffer.from(') = ?')]))
  return calls
}

function hexOf(text: string): string {
  return [...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')
}

/** Reads `THREAD name(word, "bytes", word) = result`; every string is in hex, so no comma or quote stands in one. */
function add(calls: SystemCall[], line: Buffer): void {
  const open = line.indexOf('(')
  const close = line.lastIndexOf(') ')
  const answer = line.toString('latin1', line.indexOf('=', close) + 1).trim()
  const result = answer.startsWith('?') ? undefined : Number.parseInt(answer)
  if (result !== undefined && result < 0) return
  const name = /\w+$/.exec(line.toString('latin1', 0, open))![0]
  const quote = line.indexOf('"', open)
  const isWrite = name === 'write' || name === 'pwrite64'
  let bytes: Buffer = Buffer.alloc(0)
  let words = line.toString('latin1', open + 1, close)
  if (isWrite) {
    const endQuote = line.indexOf('"', quote + 1)
    bytes = unhex(line, quote + 1, endQuote)
    words = line.toString('latin1', open + 1, quote) + line.toString('latin1', endQuote + 1, close)
  }
  calls.push({ name, words: words.split(', ').map(plain), bytes, result })
}

/** `18<\x2f…>(deleted)` → `/… (deleted)`, `"\x2f…"` → `/…`. */
function plain(word: string): string {
  const hex = /["<]((?:\\x[0-9a-f]{2})*)[">](\(deleted\))?/.exec(word)
  if (hex === null) return word
  const text = Buffer.from(hex[1]!.replaceAll('\\x', ''), 'hex').toString()
  return hex[2] === undefined ? text : `${text} ${hex[2]}`
}

/** Bytes from `\x00\xff…`. */
function unhex(line: Buffer, from: number, to: number): Buffer {
  const bytes = Buffer.allocUnsafe((to - from) / 4)
  const digit = (code: number): number => (code < 58 ? code - 48 : code - 87)
  for (let i = 0, at = from + 2; i < bytes.length; i++, at += 4)
    bytes[i] = (digit(line[at]!) << 4) | digit(line[at + 1]!)
  return bytes
}
