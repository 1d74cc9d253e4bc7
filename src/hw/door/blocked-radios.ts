/**
 * Blocked radios: those that the guard switched off, so that a permit switches these on and no other. They are kept in a file: a
 * guard that died left them off, and systemd brings a radio's block back after a reboot, when nobody could tell whose it was.
 * A radio is named by the place of its device in the machine, for its index may be another one after a boot.
 */
import { readFileSync, realpathSync } from 'node:fs'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { reasonOf } from '../../base/fault.js'
import type { Log } from '../../base/log.js'
import { toldOnce } from '../../base/told-once.js'
import { PLACES, allRadios, isBlocked, setBlocked } from './radio.js'
import type { RadioPlaces } from './radio.js'

export class BlockedRadios {
  readonly #file: string | null
  readonly #log: Log
  readonly #places: RadioPlaces
  readonly #devices: Set<string>
  /** Devices whose radio could not be switched off when that was tried last. */
  readonly #refused = new Set<string>()
  /** What is wrong with each radio, by its index. */
  readonly #tell = new Map<number, (trouble: string) => void>()
  #writing: Promise<void> = Promise.resolve()

  /** @param file null: they are remembered by this process only. */
  constructor(file: string | null, log: Log, places: RadioPlaces = PLACES) {
    this.#file = file
    this.#log = log
    this.#places = places
    this.#devices = new Set(file === null ? [] : linesOf(file))
  }

  /**
   * Switches a radio off. One that is off already is somebody else's, or was noted by us.
   * It is noted before it is tried, for a guard may die in between, and no more where that is refused. From then on it is tried
   * again each second without a note, so that the card is not written each second; what then succeeds is noted at once.
   */
  block(index: number): void {
    if (isBlocked(index, this.#places)) return this.#tellOf(index, '')
    const device = this.#deviceOf(index)
    if (device !== null && !this.#refused.has(device)) this.#note(device, true)
    const why = setBlocked(index, true, this.#places)
    this.#tellOf(index, why ?? '')
    if (device === null) return
    if (why === null) this.#refused.delete(device)
    else this.#refused.add(device)
    this.#note(device, why === null)
  }

  /** Switches on again what is ours; what is not plugged in stays noted. */
  giveBack(): void {
    if (this.#devices.size === 0) return
    for (const index of allRadios(this.#places)) {
      const device = this.#deviceOf(index)
      if (device === null || !this.#devices.has(device)) continue
      const why = setBlocked(index, false, this.#places)
      if (why === null) this.#note(device, false)
      else this.#log.warn(`a radio was not switched on again: ${why}`)
    }
  }

  /** The device that its radio is part of: the radio itself (phy0) is numbered as it comes. */
  #deviceOf(index: number): string | null {
    const radio = `${this.#places.sys}/class/rfkill/rfkill${index}/device`
    return placeOf(`${radio}/device`) ?? placeOf(radio)
  }

  #tellOf(index: number, trouble: string): void {
    const warn = (why: string) => this.#log.warn(`a radio was not switched off: ${why}`)
    const tell = this.#tell.get(index) ?? toldOnce(warn)
    this.#tell.set(index, tell)
    tell(trouble)
  }

  /** Not waited for: a card that stalls must not keep the guard from anything. Written only where it says something new. */
  #note(device: string, isOurs: boolean): void {
    if (this.#devices.has(device) === isOurs) return
    if (isOurs) this.#devices.add(device)
    else this.#devices.delete(device)
    const { size } = this.#devices
    const text = [...this.#devices].map((each) => `${each}\n`).join('')
    if (this.#file === null) return
    const file = this.#file
    this.#writing = this.#writing
      .then(() => replaceFile(file, text))
      .catch((error: unknown) => {
        this.#log.warn(
          `cannot write ${file}: ${reasonOf(error)}; ${size} radios that are off may stay off after a reboot`,
        )
      })
  }
}

async function replaceFile(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(`${file}.new`, text)
  await rename(`${file}.new`, file)
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
  } catch {
    return [] // none yet
  }
}

function placeOf(path: string): string | null {
  try {
    return realpathSync(path)
  } catch {
    return null
  }
}
