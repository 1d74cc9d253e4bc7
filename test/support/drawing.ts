/**
 * Drawing: one of docs/switch-*.svg as a person reads it: pins with their labels, wires by what they connect, and the table below.
 * It is read by coordinates, as the eye does, and not by the order or the names of elements.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { REPOSITORY } from './groundlock.js'

export interface Pin {
  number: number
  label: string
  isYellow: boolean
  isRed: boolean
  /** Where a wire meets it: the middle of its outer edge. */
  x: number
  y: number
}

export interface Wire {
  /** Its class, and where it has none its colour. */
  kind: string
  pin: number
  /** What stands beside its other end; '' where nothing does. */
  end: string
}

interface Point {
  x: number
  y: number
}

/** A text stands beside a point where it begins this far to the right of it at most, and that far above or below. */
const BESIDE = { x: 24, y: 10 } as const

export class Drawing {
  readonly #svg: string

  constructor(name: string) {
    this.#svg = readFileSync(join(REPOSITORY, 'docs', name), 'utf8')
  }

  get description(): string {
    return /<desc[^>]*>([^<]+)</.exec(this.#svg)![1]!
  }

  /** In order of their numbers. */
  get pins(): Pin[] {
    const drawn = this.#svg.matchAll(
      /<rect ([^>]+) \/>\s*<text class="pin"[^>]*>(\d+)<\/text>\s*<text [^>]+>([^<]+)</g,
    )
    const pins = [...drawn].map(([, rect, text, label]) => {
      const [x, y, width, height] = ['x', 'y', 'width', 'height'].map((name) => numberOf(rect!, name))
      const number = Number(text)
      return {
        number,
        label: label!,
        isYellow: rect!.includes('#ffd84d'),
        isRed: rect!.includes('danger'),
        x: number % 2 === 1 ? x! : x! + width!,
        y: y! + height! / 2,
      }
    })
    return pins.sort((a, b) => a.number - b.number)
  }

  /** Those that begin or end at a pin, by its number. */
  get wires(): Wire[] {
    const drawn = this.#svg.matchAll(/<path class="wire ?(\w*)"(?: style="stroke:(#\w+)[^"]*")? d="([^"]+)"/g)
    const wires = [...drawn].flatMap(([, kind, colour, path]) => {
      const points = pointsOf(path!)
      return [points, points.toReversed()].flatMap(([from, ...others]) => {
        const pin = this.pins.find(({ x, y }) => x === from!.x && y === from!.y)
        if (pin === undefined) return []
        return [{ kind: kind || colour!, pin: pin.number, end: this.#beside(others.at(-1)!) }]
      })
    })
    return wires.sort((a, b) => a.pin - b.pin)
  }

  /** The table below it, its head first. */
  get rows(): string[][] {
    const rows = new Map<number, string[]>()
    for (const [, rect, text] of this.#svg.matchAll(
      /<rect class="(?:head|cell)" ([^>]+) \/>\s*<text[^>]*>([^<]+)</g,
    )) {
      const y = numberOf(rect!, 'y')
      rows.set(y, [...(rows.get(y) ?? []), text!])
    }
    return [...rows.values()]
  }

  #beside(point: Point): string {
    const texts = [...this.#svg.matchAll(/<text ([^>]+)>([^<]+)</g)]
    const found = texts.find(([, place]) => {
      const right = numberOf(place!, 'x') - point.x
      return right > 0 && right <= BESIDE.x && Math.abs(numberOf(place!, 'y') - point.y) <= BESIDE.y
    })
    return found?.[2] ?? ''
  }
}

/** The pins that a text names: `pins 9, 11 and 13, a lamp at pin 15`, `pins 11 (permit) and 9 (ground)`. */
export function pinsNamed(text: string): number[] {
  const lists = text.match(/\bpins? \d+(?:(?: \(\w+\))?(?:, | and )\d+)*/g) ?? []
  const pins = lists.flatMap((list) => [...list.matchAll(/\d+/g)].map(Number))
  return [...new Set(pins)].sort((a, b) => a - b)
}

/** The corners of a wire: it is drawn with M, H, V and, where it crosses another one, small arcs. */
function pointsOf(path: string): Point[] {
  let at: Point = { x: 0, y: 0 }
  return [...path.matchAll(/([A-Za-z])([^A-Za-z]*)/g)].map(([, command, words]) => {
    const numbers = words!.trim().split(/\s+/).map(Number)
    if (command === 'M') at = { x: numbers[0]!, y: numbers[1]! }
    else if (command === 'H') at = { x: numbers[0]!, y: at.y }
    else if (command === 'V') at = { x: at.x, y: numbers[0]! }
    else if (command === 'a') at = { x: at.x + numbers[5]!, y: at.y + numbers[6]! }
    else throw new Error(`no wire is drawn with ${command}: ${path}`)
    return at
  })
}

function numberOf(attributes: string, name: string): number {
  return Number(new RegExp(`(?:^| )${name}="([\\d.]+)"`).exec(attributes)?.[1])
}
