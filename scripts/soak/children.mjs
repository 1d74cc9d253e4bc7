/**
 * Children: the processes of a measurement: a station, a source, a listener. They end with it, however it ends.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'

const GROUNDLOCK = join(import.meta.dirname, '..', '..', 'dist', 'groundlock.cjs')

const running = new Set()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** Starts a program of this folder, or the station. */
function start(program, args, stdio) {
  const child = spawn(program, args, { stdio })
  running.add(child)
  // A program that cannot be started ends the measurement with what Node says of it.
  child.once('error', (error) => {
    throw error
  })
  child.once('exit', () => running.delete(child))
  return child
}

/** The simulated copter on devices at `links`; resolves when they are there. */
export async function startSource({ rate, seconds, periodMs, links }) {
  const args = [join(import.meta.dirname, 'source.mjs'), rate, seconds, periodMs, ...links].map(String)
  const child = start(process.execPath, args, ['pipe', 'pipe', 'inherit'])
  const lines = createInterface({ input: child.stdout })
  const said = (word) =>
    new Promise((resolve, reject) => {
      lines.on('line', (line) => word in JSON.parse(line) && resolve(JSON.parse(line)[word]))
      lines.once('close', () => reject(new Error(`the source ended before it was ${word}`)))
    })
  const source = {
    started: said('started'),
    done: said('done'),
    end: () => ended(child, () => child.stdin.end()),
  }
  for (const promise of [source.started, source.done]) promise.catch(() => {}) // whoever waits for it is told
  await said('plugged')
  return source
}

export function startListener(device) {
  const args = [join(import.meta.dirname, 'listener.mjs'), device]
  const child = start(process.execPath, args, ['ignore', 'ignore', 'inherit'])
  return { pid: child.pid, end: () => ended(child, () => child.kill('SIGTERM')) }
}

/** `groundlock run` with its run_dir below `dir`; its log goes to DIR/station.log. */
export async function startStation({ dir, device, vault }) {
  const runDir = join(dir, 'run')
  const configuration = join(dir, 'groundlock.toml')
  writeFileSync(
    configuration,
    `[station]\nrun_dir = "${runDir}"\n[guard]\nrun_dir = "${runDir}/guard"\ntoken = "${dir}/token"\n[vault]\ndir = "${vault}"\n[link.radio]\ndevice = "${device}"\nbaud = 921600\n`,
  )
  const child = start(GROUNDLOCK, ['run', '--config', configuration], ['ignore', 'ignore', 'pipe'])
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text) => (log += text))
  const statusFile = join(runDir, 'station.json')
  const station = {
    pid: child.pid,
    vault,
    log: () => log,
    status: () => (existsSync(statusFile) ? JSON.parse(readFileSync(statusFile, 'utf8')) : undefined),
    /** Resolves with the first status that fits; rejects when the station has ended. */
    async until(fits) {
      for (;;) {
        const status = station.status()
        if (status !== undefined && status.pid === child.pid && fits(status)) return status
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(`the station ended:\n${log}`)
        await pause(STATUS_LOOK_MS)
      }
    },
    close: () => groundlock('close', '--config', configuration),
    end: () => ended(child, () => child.kill('SIGTERM')),
  }
  await station.until(({ recovered }) => recovered)
  return station
}

/** Pause between looks at the status (ms); the station writes it each second and at each stored chunk. */
const STATUS_LOOK_MS = 50

/** Runs another command of the program; what it printed. */
export async function groundlock(...args) {
  const { stdout } = await promisify(execFile)(GROUNDLOCK, args, { maxBuffer: 64 * 1024 * 1024 })
  return stdout
}

async function ended(child, stop) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  stop()
  await exit
}
