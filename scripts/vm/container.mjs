/**
 * Container: the same system as a guest's, booted on this machine's kernel by systemd-nspawn, in a network namespace of its
 * own with nothing in it. Seconds instead of minutes; but no udev, no kernel of Debian's, no GPIO.
 * Guarantees: what is mounted and started is gone after `stop()`.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'

/** Longest boot (ms); seconds on an idle machine. */
const BOOT_MS = 120_000
const COMMAND_MS = 180_000
/** systemd 257 wants the unified hierarchy, whatever this machine has. */
const UNIFIED = { SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' }

function mount(...args) {
  const { status, stderr } = spawnSync('mount', args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`mount ${args.join(' ')}: ${stderr}`)
}

export class Container {
  #folder = mkdtempSync(join(tmpdir(), 'groundlock-container-'))
  #nspawn
  #leader = 0
  #binds = []
  /** @type {import('node:fs').WriteStream | null} */
  #console = null

  static async boot({ folder, shares, console }) {
    const container = new Container()
    try {
      await container.#start(folder, shares, console)
    } catch (error) {
      await container.stop()
      throw error
    }
    return container
  }

  async #start(folder, shares, console) {
    const at = (name) => join(this.#folder, name)
    for (const name of ['base', 'upper', 'work', 'root']) mkdirSync(at(name))
    mount('-o', 'loop,ro', join(folder, 'root.ext4'), at('base'))
    mount(
      '-t',
      'overlay',
      'overlay',
      '-o',
      `lowerdir=${at('base')},upperdir=${at('upper')},workdir=${at('work')}`,
      at('root'),
    )
    const waiters = ['systemd-networkd-wait-online.service', 'NetworkManager-wait-online.service']
    spawnSync('systemctl', [`--root=${at('root')}`, 'mask', ...waiters])
    this.#binds = Object.entries(shares).map(([name, path]) => `--bind-ro=${path}:/${name}`)
    this.#console = console ? createWriteStream(console) : null
    await this.#spawn()
  }

  async #spawn() {
    const root = join(this.#folder, 'root')
    this.#nspawn = spawn(
      'systemd-nspawn',
      [
        '-q',
        '-b',
        '-D',
        root,
        '--private-network',
        '--register=no',
        '--keep-unit',
        '--console=pipe',
        ...this.#binds,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...UNIFIED } },
    )
    if (this.#console) this.#nspawn.stdout.pipe(this.#console, { end: false })
    else this.#nspawn.stdout.resume()
    this.#nspawn.stderr.resume()
    await this.#booted()
  }

  /** Waits for an init that answers. */
  async #booted() {
    for (const deadline = Date.now() + BOOT_MS; Date.now() < deadline; await pause(100)) {
      if (this.#nspawn.exitCode !== null) throw new Error('systemd-nspawn ended')
      const children = readFileSync(`/proc/${this.#nspawn.pid}/task/${this.#nspawn.pid}/children`, 'utf8')
        .trim()
        .split(' ')
      this.#leader = Number(children.at(-1))
      if (this.#leader === 0) continue
      const answer = await this.run('systemctl is-system-running', 5000).catch(() => ({ out: '' }))
      if (/^(?:running|degraded|starting|initializing)$/.test(answer.out)) return
    }
    throw new Error(`no boot within ${BOOT_MS / 1000} s`)
  }

  async run(script, ms = COMMAND_MS) {
    const enter = ['-t', this.#leader, '-m', '-u', '-i', '-n', '-p', '-C'].map(String)
    const child = spawn(
      'nsenter',
      [
        ...enter,
        'env',
        '-i',
        'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
        'HOME=/root',
        'timeout',
        String(ms / 1000),
        'bash',
      ],
      { stdio: ['pipe', 'pipe', 'pipe'] },
    )
    let out = ''
    child.stdout.on('data', (bytes) => void (out += bytes))
    child.stderr.on('data', (bytes) => void (out += bytes))
    child.stdin.on('error', () => {})
    child.stdin.end(`exec 2>&1\n${script}`)
    const status = await new Promise((resolve) => child.once('close', resolve))
    return { status: status ?? 1, out: out.trimEnd() }
  }

  async must(script) {
    const { status, out } = await this.run(script)
    if (status !== 0) throw new Error(`exit ${status} of:\n${script}\n${out}`)
    return out
  }

  async settled() {
    return (await this.run('systemctl is-system-running --wait')).out
  }

  async reboot() {
    const ended = new Promise((resolve) => this.#nspawn.once('exit', resolve))
    await this.run('systemctl reboot')
    await ended
    await this.#spawn()
  }

  async stop() {
    if (this.#nspawn && this.#nspawn.exitCode === null) {
      const ended = new Promise((resolve) => this.#nspawn.once('exit', resolve))
      this.#nspawn.kill('SIGTERM')
      const timer = setTimeout(() => this.#nspawn.kill('SIGKILL'), 20_000)
      await ended
      clearTimeout(timer)
    }
    for (const name of ['root', 'base']) spawnSync('umount', [join(this.#folder, name)], { stdio: 'ignore' })
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
