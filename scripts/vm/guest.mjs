/**
 * Guest: a virtual machine without a network, made from the disk of scripts/vm/image. Its disk is a throw-away: what it
 * writes lasts over its own reboots and is gone with it. The checkout is its read-only share `checkout`.
 *
 * Its time is that of its processor: one instruction takes 1 ns (`-icount shift=0`), and every clock of it follows. So it is a
 * machine of 1 GHz with one core, about a Pi 3's, however slow or busy this one is: its watchdogs, time limits and pauses between
 * restarts mean what they mean there, and what is measured in it is in its own time. Without that, emulation makes Node 20 to 50
 * times slower than the watchdogs, which still count the seconds of this machine. Idle, its time goes as ours does: while it
 * waits for its disk, seconds of ours are seconds of its own.
 * Guarantees: qemu does not outlive `stop()`, nor this process where that exits; a command that hangs, or a boot that does, is an
 * error.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'

/** 15 s of the guest's time are one to five minutes of ours, as busy as we are; nothing for quarter of an hour is a hang (ms). */
const BOOT_MS = 900_000
/** Longest command (ms), in our time; the agent ends its own after 600 s of the guest's. */
const COMMAND_MS = 1_800_000

/** Nobody waits for a network here. */
const CMDLINE = [
  'root=LABEL=root rw console=ttyS0',
  'systemd.mask=systemd-networkd-wait-online.service systemd.mask=NetworkManager-wait-online.service',
].join(' ')

/** Debian 13's own kernel, as on a Pi (6.12), or the newest there is, which has gpio-sim. */
export function kernels(folder) {
  const versions = readdirSync(folder)
    .filter((name) => name.startsWith('vmlinuz-'))
    .map((name) => name.slice('vmlinuz-'.length))
    .toSorted((a, b) => a.localeCompare(b, undefined, { numeric: true }))
  return { stable: versions[0], newest: versions.at(-1) }
}

export class Guest {
  #qemu
  #socket
  #lines = []
  /** @type {{ resolve(line: string): void, reject(error: Error): void } | null} */
  #waiting = null
  #folder
  #radio
  #names = []

  /** Boots. `folder`: of scripts/vm/image; `shares`: name → folder of this machine, read-only. */
  static async boot({ folder, kernel, shares, console }) {
    const guest = new Guest()
    try {
      await guest.#start(folder, kernel, shares, console)
    } catch (error) {
      await guest.stop()
      throw error
    }
    return guest
  }

  async #start(folder, kernel, shares, console) {
    this.#folder = mkdtempSync(join(tmpdir(), 'groundlock-vm-'))
    const agent = join(this.#folder, 'agent')
    this.#radio = join(this.#folder, 'radio')
    const share = Object.entries(shares).flatMap(([name, path]) => [
      '-virtfs',
      `local,path=${path},mount_tag=${name},security_model=none,readonly=on,multidevs=remap`,
    ])
    this.#qemu = spawn(
      'nice',
      [
        ['-n', '2', 'qemu-system-x86_64'],
        ['-accel', 'tcg,thread=single', '-cpu', 'max', '-smp', '1', '-m', '1024'],
        ['-icount', 'shift=0', '-rtc', 'clock=vm'],
        ['-nodefaults', '-no-user-config', '-display', 'none', '-nic', 'none'],
        ['-kernel', join(folder, `vmlinuz-${kernel}`), '-initrd', join(folder, `initrd.img-${kernel}`)],
        ['-append', CMDLINE],
        ['-drive', `file=${join(folder, 'root.ext4')},if=virtio,format=raw,snapshot=on`],
        ['-serial', 'stdio', '-serial', 'null'],
        ['-device', 'virtio-serial', '-chardev', `socket,id=agent,path=${agent},server=on,wait=off`],
        ['-device', 'virtserialport,chardev=agent,name=agent'],
        // A USB serial adapter (FTDI), which is plugged in as long as somebody holds its socket.
        ['-chardev', `socket,id=radio,path=${this.#radio},server=on,wait=off`],
        ['-device', 'qemu-xhci', '-device', 'usb-serial,chardev=radio'],
        share,
      ].flat(),
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    // Whoever is ended while it boots has no guest to stop yet.
    process.once('exit', this.#end)
    if (console) this.#qemu.stdout.pipe(createWriteStream(console))
    else this.#qemu.stdout.resume()
    this.#qemu.once('exit', () => this.#waiting?.reject(new Error('the virtual machine ended')))
    await this.#connect(agent)
    await this.#ready()
    await this.#share(Object.keys(shares))
    this.#names = Object.keys(shares)
  }

  async #share(names) {
    for (const name of names)
      await this.must(`mkdir -p /${name} && mount -t 9p -o trans=virtio,version=9p2000.L,ro ${name} /${name}`)
  }

  async #connect(path) {
    for (const deadline = Date.now() + 10_000; ; await pause(50)) {
      const socket = createConnection(path)
      const isThere = await new Promise((resolve) => {
        socket.once('connect', () => resolve(true))
        socket.once('error', () => resolve(false))
      })
      if (isThere) {
        this.#socket = socket
        break
      }
      if (Date.now() > deadline) throw new Error('qemu did not start')
    }
    createInterface({ input: this.#socket }).on('line', (line) => {
      if (this.#waiting) this.#waiting.resolve(line)
      else this.#lines.push(line)
    })
  }

  async #line(what, ms) {
    if (this.#lines.length > 0) return this.#lines.shift()
    let timer
    try {
      return await new Promise((resolve, reject) => {
        this.#waiting = { resolve, reject }
        timer = setTimeout(() => reject(new Error(`${what}: nothing within ${ms / 1000} s`)), ms)
      })
    } finally {
      clearTimeout(timer)
      this.#waiting = null
    }
  }

  async #ready() {
    while ((await this.#line('boot', BOOT_MS)) !== 'ready');
  }

  /** Runs a bash script as root in the guest. Its exit status, and stdout and stderr as they came. */
  async run(script, ms = COMMAND_MS) {
    this.#socket.write(`${Buffer.from(script).toString('base64')}\n`)
    const [status, out = ''] = (await this.#line(script.trim().split('\n', 1)[0], ms)).split(' ')
    return { status: Number(status), out: Buffer.from(out, 'base64').toString().trimEnd() }
  }

  /** Runs it and takes nothing but success. */
  async must(script) {
    const { status, out } = await this.run(script)
    if (status !== 0) throw new Error(`exit ${status} of:\n${script}\n${out}`)
    return out
  }

  /** Once all that boot starts has started, or failed. */
  async settled() {
    return (await this.run('systemctl is-system-running --wait')).out
  }

  async reboot() {
    this.#socket.write(`${Buffer.from('systemctl reboot').toString('base64')}\n`)
    await this.#ready()
    await this.#share(this.#names)
  }

  /** Plugs a USB radio in: what is written to the socket it sends, and when the socket is destroyed it is pulled out. */
  async plugInRadio() {
    const socket = createConnection(this.#radio)
    await once(socket, 'connect')
    // The machine may end first.
    return socket.on('error', () => {}).resume()
  }

  async stop() {
    if (this.#qemu && this.#qemu.exitCode === null) {
      const ended = new Promise((resolve) => this.#qemu.once('exit', resolve))
      this.#end()
      await ended
    }
    process.off('exit', this.#end)
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #end = () => {
    this.#qemu.kill('SIGKILL')
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
