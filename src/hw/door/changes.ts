/**
 * Changes: the lines of `nft monitor`, gathered to what one program did to tables of ours in one transaction. Pure.
 */
import { BASE, isOurTable } from './ruleset.js'

export interface TableChange {
  /** The process that did it, as the kernel names it. */
  pid: number
  program: string
  /** Tables of ours that it touched, `inet groundlock`. */
  tables: string[]
  /** The first of its lines, for a person. */
  first: string
}

/** Longest line that is kept for a report (characters). */
const MAX_SHOWN = 120

const GENERATION = /^# new generation \d+ by process (\d+) \((.*)\)$/
const OBJECT = /^\w+ (?:table|chain|rule|set|map|element|counter|flowtable|quota|limit) (\S+) (\S+)/

/**
 * Takes the lines in order; returns a change when its transaction is complete and touched ours.
 * The owned tables are left out: only their owner can change them, and their end comes without a name.
 */
export class ChangeGatherer {
  #tables = new Set<string>()
  #first = ''

  line(text: string): TableChange | null {
    const end = GENERATION.exec(text)
    if (end !== null) {
      const [tables, first] = [[...this.#tables], this.#first]
      this.#tables = new Set()
      this.#first = ''
      return tables.length === 0 ? null : { pid: Number(end[1]), program: end[2]!, tables, first }
    }
    const [, family, name = ''] = OBJECT.exec(text) ?? []
    if (isOurTable(name) && (name === BASE || /\d$/.test(name))) {
      this.#tables.add(`${family} ${name}`)
      if (this.#first === '') this.#first = text.slice(0, MAX_SHOWN)
    }
    return null
  }
}

export function changeText({ pid, program, tables, first }: TableChange): string {
  const isCover = tables.every((table) => table.startsWith('netdev '))
  const whose = isCover ? ' (udev does so where a device appears or is renamed)' : ''
  return `${program} (process ${pid}) changed ${tables.join(', ')}: ${first}${whose}`
}
