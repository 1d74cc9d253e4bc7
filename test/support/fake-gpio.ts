/**
 * Fake GPIO: a folder of files in place of lines, and scripts in place of libgpiod's tools (fake-gpiod.sh), since the kernel here has
 * no GPIO. What is real: the processes, their pipes, their command lines, the exclusive lines, their deaths.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SwitchConfiguration } from '../../src/base/configuration.js'
import type { Log } from '../../src/base/log.js'
import { REPOSITORY } from './groundlock.js'

/** As a Pi 5 with an older kernel has them: the header is not the first. */
const CHIPS = 'gpiochip0 [gpio-brcmstb@107d508500] (32 lines)\ngpiochip4 [pinctrl-rp1] (54 lines)\n'

export interface FakeGpio {
  folder: string
  /** Connects a line to a level; `z`: to nothing. */
  set(line: number, level: 0 | 1 | 'z'): void
  /** The contacts of the default lines, closed to ground or not. */
  contacts(permit: 'closed' | 'open', shut: 'closed' | 'open'): void
  /** What `gpioset` drove last. */
  driven(line: number): string | null
  /** How often it was driven high since `fromMs` of the machine's clock, in groups between which it was not for `pauseMs`. */
  flashes(line: number, fromMs: number, pauseMs: number): number[]
  /** Command lines with which a tool was started, in their order. */
  calls(tool: string): string[]
  /** `hang.gpioget`, `deaf`, `deaf.17`, `mute.17`, `linger.17`. */
  flag(name: string, isOn: boolean): void
  chips(text: string): void
}

/** Puts the tools of a version first in this process's PATH. */
export function fakeGpio(folder: string, major: 1 | 2): FakeGpio {
  mkdirSync(join(folder, 'bin'), { recursive: true })
  for (const tool of ['gpiodetect', 'gpioget', 'gpiomon', 'gpioset']) {
    copyFileSync(join(REPOSITORY, 'test', 'support', 'fake-gpiod.sh'), join(folder, 'bin', tool))
  }
  process.env['PATH'] = `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`
  process.env['FAKE_MAJOR'] = String(major)
  const write = (name: string, text: string) => {
    writeFileSync(join(folder, `${name}.new`), text)
    renameSync(join(folder, `${name}.new`), join(folder, name))
  }
  const fake: FakeGpio = {
    folder,
    set: (line, level) => write(`level.${line}`, `${level}\n`),
    contacts(permit, shut) {
      fake.set(17, permit === 'closed' ? 0 : 1)
      fake.set(27, shut === 'closed' ? 0 : 1)
    },
    driven: (line) =>
      existsSync(join(folder, `out.${line}`))
        ? readFileSync(join(folder, `out.${line}`), 'utf8').trim() || null
        : null,
    flashes(line, fromMs, pauseMs) {
      const path = join(folder, `history.${line}`)
      const history = existsSync(path) ? readFileSync(path, 'utf8') : ''
      const groups: number[] = []
      let lastMs = -Infinity
      for (const [, us] of history.matchAll(/^(\d+) 1$/gm)) {
        const atMs = Number(us) / 1000
        if (atMs < fromMs) continue
        const isNew = atMs - lastMs > pauseMs
        groups.push(isNew ? 1 : groups.pop()! + 1)
        lastMs = atMs
      }
      return groups
    },
    calls: (tool) =>
      readFileSync(join(folder, 'calls'), 'utf8')
        .split('\n')
        .filter((line) => line.startsWith(`${tool} `)),
    flag(name, isOn) {
      if (isOn) writeFileSync(join(folder, name), '')
      else rmSync(join(folder, name), { force: true })
    },
    chips: (text) => write('chips', text),
  }
  writeFileSync(join(folder, 'calls'), '')
  fake.chips(CHIPS)
  fake.contacts('open', 'closed')
  return fake
}

export const SWITCH: SwitchConfiguration = {
  backend: 'chardev',
  chip: 'auto',
  wiring: 'antivalent',
  permitLine: 17,
  shutLine: 27,
  lampLine: 22,
  file: '',
}

/** A log that keeps its lines. */
export function keptLog(): Log & { lines: string[] } {
  const lines: string[] = []
  const keep = (text: string) => void lines.push(text)
  return { lines, info: keep, warn: keep, error: keep }
}
