/**
 * Message JSON: a message as one line of JSON that loses nothing and never throws.
 *
 * One rule per kind of value, so that a column has one type:
 * 64-bit integers are always decimal strings ("0" too: a JSON number is exact only to 2^53); NaN and the infinities
 * are the strings "NaN", "Infinity", "-Infinity"; −0 is -0; char[] that was no UTF-8 has `\udc80`-like escapes (char-text).
 * A float is the exact value it has, so 0.1 of a `float` reads 0.10000000149011612; `floatText` is the short form.
 */
import type { FieldValue, Message } from './decode.js'

export function messageJson(message: Message): string {
  let text = '{'
  for (const [name, value] of Object.entries(message)) {
    if (text.length > 1) text += ','
    text += `"${name}":${valueJson(value)}`
  }
  return text + '}'
}

function valueJson(value: FieldValue): string {
  if (typeof value === 'number') return numberJson(value)
  if (typeof value === 'bigint') return `"${value}"`
  if (typeof value === 'string') return JSON.stringify(value)
  return `[${value.map(valueJson).join(',')}]`
}

function numberJson(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`
  return Object.is(value, -0) ? '-0' : String(value)
}

/**
 * The shortest decimal text that reads back to the same `float`: 0.1, not 0.10000000149011612. For values that were
 * a `float` on the wire only: a `double` would lose digits. NaN, Infinity and -Infinity are these words.
 */
export function floatText(value: number): string {
  if (Object.is(value, -0)) return '-0'
  // Six digits always survive decimal → float → decimal; nine always survive float → decimal → float (IEEE 754).
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === value) return String(short)
  }
  return String(Number(value.toPrecision(9)))
}
