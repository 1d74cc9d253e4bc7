/**
 * Text bytes: numbers and texts as bytes of UTF-8, many times faster than by strings.
 */
import { floatText } from '../../mavlink/message-json.js'

/** First room (bytes); it doubles when it is full. */
const START_BYTES = 16 * 1024

/** No number has more characters than this (bytes); a cell of one needs no further look at the room. */
const NUMBER_BYTES = 32

/** Up to this many are copied one by one (bytes). */
const LOOP_BYTES = 64

/** Texts that stand in JSON as they are: printable ASCII without quote and backslash. */
const PLAIN_JSON = /^[ !#-[\]-~]*$/

const COMMA = 0x2c
const NEWLINE = 0x0a
const QUOTE = 0x22
const MINUS = 0x2d
const DOT = 0x2e
const ZERO = 0x30

/** Powers of ten that a double has exactly, and that a float's nine digits need. */
const TEN_TO = Float64Array.from({ length: 15 }, (_, k) => 10 ** k)

/** Floats from here to there are written by whole-number arithmetic; all others are rare. */
const PLAIN_FLOATS = { from: 1e-5, to: 1e9 } as const

/** Greatest whole number up to which every whole number is a float. */
const FLOAT_INTEGERS = 2 ** 24

export class TextBytes {
  #bytes = Buffer.alloc(START_BYTES)
  #length = 0

  get length(): number {
    return this.#length
  }

  /** What was written, borrowed until the next write. */
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  clear(): void {
    this.#length = 0
  }

  comma(): void {
    this.#room(NUMBER_BYTES)
    this.#bytes[this.#length++] = COMMA
  }

  newline(): void {
    this.#room(NUMBER_BYTES)
    this.#bytes[this.#length++] = NEWLINE
  }

  /** A whole number up to 2^53. */
  integer(value: number): void {
    this.#room(NUMBER_BYTES)
    if (value < 0) this.#bytes[this.#length++] = MINUS
    this.#digits(Math.abs(value), 1)
  }

  bigint(value: bigint): void {
    this.ascii(String(value))
  }

  /** The shortest text that reads back to the same `float`; `NaN`, `Infinity` and `-Infinity` are these words. */
  float(value: number): void {
    const size = Math.abs(value)
    if (Number.isInteger(value) && size <= FLOAT_INTEGERS && !Object.is(value, -0)) this.integer(value)
    else if (!(size >= PLAIN_FLOATS.from && size < PLAIN_FLOATS.to && this.#plainFloat(value, size))) {
      this.ascii(floatText(value))
    }
  }

  double(value: number): void {
    this.ascii(Object.is(value, -0) ? '-0' : String(value))
  }

  /** Text of plain characters without a quote or a comma. */
  ascii(text: string): void {
    this.#room(text.length + NUMBER_BYTES)
    this.#length += this.#bytes.write(text, this.#length, 'latin1')
  }

  bytes(bytes: Uint8Array): void {
    const count = bytes.length
    this.#room(count + NUMBER_BYTES)
    // A loop is faster than a call as long as there is little to copy.
    if (count > LOOP_BYTES) this.#bytes.set(bytes, this.#length)
    else for (let i = 0; i < count; i++) this.#bytes[this.#length + i] = bytes[i]!
    this.#length += count
  }

  /** Any text as a cell of CSV, in quotes (RFC 4180). */
  csvText(text: string): void {
    const inside = text.replaceAll('"', '""')
    // No character of UTF-16 takes more than three bytes of UTF-8.
    this.#room(3 * inside.length + NUMBER_BYTES)
    this.#bytes[this.#length++] = QUOTE
    this.#length += this.#bytes.write(inside, this.#length)
    this.#bytes[this.#length++] = QUOTE
  }

  /** Any text as a string of JSON (RFC 8259). */
  jsonText(text: string): void {
    if (PLAIN_JSON.test(text)) {
      this.#room(text.length + NUMBER_BYTES)
      this.#bytes[this.#length++] = QUOTE
      this.#length += this.#bytes.write(text, this.#length, 'latin1')
      this.#bytes[this.#length++] = QUOTE
      return
    }
    const json = JSON.stringify(text)
    this.#room(3 * json.length)
    this.#length += this.#bytes.write(json, this.#length)
  }

  /** A whole number of `width` digits, zeros before it. */
  padded(value: number, width: number): void {
    this.#room(NUMBER_BYTES)
    this.#digits(value, width)
  }

  /** Six to nine digits are tried; the first whose value is the float is its text. */
  #plainFloat(value: number, size: number): boolean {
    const exponent = Math.floor(Math.log10(size))
    for (let digits = Math.max(6, exponent + 1); digits <= 9; digits++) {
      const places = digits - 1 - exponent
      const scaled = Math.round(size * TEN_TO[places]!)
      if (Math.fround(scaled / TEN_TO[places]!) !== size) continue
      this.#room(NUMBER_BYTES)
      if (value < 0) this.#bytes[this.#length++] = MINUS
      this.#decimal(scaled, places)
      return true
    }
    return false
  }

  /** `scaled` / 10^`places`, without zeros at its end. */
  #decimal(scaled: number, places: number): void {
    while (places > 0 && scaled % 10 === 0) {
      scaled /= 10
      places--
    }
    const whole = Math.floor(scaled / TEN_TO[places]!)
    this.#digits(whole, 1)
    if (places === 0) return
    this.#bytes[this.#length++] = DOT
    this.#digits(scaled - whole * TEN_TO[places]!, places)
  }

  /** At least `width` digits; the room is there. */
  #digits(value: number, width: number): void {
    if (value >= 1e14) {
      this.ascii(String(value))
      return
    }
    let count = width
    while (value >= TEN_TO[count]!) count++
    let rest = value
    for (let at = this.#length + count - 1; at >= this.#length; at--) {
      const next = Math.floor(rest / 10)
      this.#bytes[at] = ZERO + rest - next * 10
      rest = next
    }
    this.#length += count
  }

  #room(count: number): void {
    if (this.#length + count <= this.#bytes.length) return
    const bigger = Buffer.alloc(Math.max(this.#bytes.length * 2, this.#length + count))
    bigger.set(this.#bytes)
    this.#bytes = bigger
  }
}
