/** Process figures: what a process and its children cost, from /proc: CPU by thread, memory by kind. */
import { execFileSync } from 'node:child_process'
import { readFileSync, readdirSync } from 'node:fs'

/** Clock ticks of /proc's times in a second; 100 on every Linux one meets, asked all the same. */
const TICKS_PER_S = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/** The process and all that descend from it. */
export function processTree(pid) {
  const children = threadsOf(pid).flatMap((tid) =>
    readOr(`/proc/${pid}/task/${tid}/children`, '').trim().split(' ').filter(Boolean).map(Number),
  )
  return [pid, ...children.flatMap(processTree)]
}

/** Seconds of CPU of these processes, threads that ended included; and of each thread by its id. */
export function cpuOf(pids) {
  const threads = {}
  let seconds = 0
  for (const pid of pids) {
    seconds += secondsIn(readOr(`/proc/${pid}/stat`, ''))
    for (const tid of threadsOf(pid)) threads[tid] = secondsIn(readOr(`/proc/${pid}/task/${tid}/stat`, ''))
  }
  return { seconds, threads }
}

/** Fields 14 and 15, utime and stime; the name before may hold spaces. Source: proc_pid_stat(5) */
function secondsIn(stat) {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields.length < 13 ? 0 : (Number(fields[11]) + Number(fields[12])) / TICKS_PER_S
}

const KIB_PER_MB = 1_000_000 / 1024

/** Memory of these processes (MB of 10^6 bytes): the peak ever, and what is resident now, anonymous and of files. */
export function memoryOf(pids) {
  const sum = { peakMb: 0, residentMb: 0, anonymousMb: 0, fileMb: 0, sharedMb: 0, threads: 0 }
  for (const pid of pids) {
    const status = readOr(`/proc/${pid}/status`, '')
    const kib = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0)
    sum.peakMb += kib('VmHWM') / KIB_PER_MB
    sum.residentMb += kib('VmRSS') / KIB_PER_MB
    sum.anonymousMb += kib('RssAnon') / KIB_PER_MB
    sum.fileMb += kib('RssFile') / KIB_PER_MB
    sum.sharedMb += kib('RssShmem') / KIB_PER_MB
    sum.threads += kib('Threads')
  }
  return sum
}

function threadsOf(pid) {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number)
  } catch {
    return []
  }
}

/** What is gone has no figures. */
function readOr(path, otherwise) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return otherwise
  }
}
