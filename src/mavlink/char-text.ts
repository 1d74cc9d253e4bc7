/**
 * Char text: a char[] field as a string, and back to the bytes it was.
 *
 * Up to the first NUL, as MAVLink says. Valid UTF-8 reads as what it says. Where it is not (a text cut in the middle of
 * a character, Latin-1, rubbish), each byte that is no character becomes the lone surrogate U+DC00 + byte: valid UTF-8
 * never decodes to one, so `charBytes` returns exactly the bytes. Python calls this "surrogateescape" (PEP 383).
 * JSON shows them as `\udce4`; whoever writes UTF-8 takes `charBytes`, else they end as U+FFFD.
 */
import { isUtf8 } from 'node:buffer'

/** A byte that is no UTF-8 is this + the byte: U+DC80 to U+DCFF. */
const ESCAPE = 0xdc00

/** The text of the `size` bytes at `at`. Never throws, whatever the bytes are. */
export function charText(view: DataView, at: number, size: number): string {
  let end = at
  let seen = 0
  for (; end < at + size; end++) {
    const byte = view.getUint8(end)
    if (byte === 0) break
    seen |= byte
  }
  const bytes = Buffer.from(view.buffer, view.byteOffset + at, end - at)
  if (seen < 0x80) return bytes.toString('latin1')
  return isUtf8(bytes) ? bytes.toString() : escaped(bytes)
}

/** The bytes that `charText` read, without the NUL; any other string as UTF-8. */
export function charBytes(text: string): Buffer {
  const parts = text.split(/([\udc80-\udcff]+)/u)
  return Buffer.concat(parts.map((part, i) => (i % 2 === 0 ? Buffer.from(part) : unescaped(part))))
}

function escaped(bytes: Buffer): string {
  let text = ''
  for (let at = 0; at < bytes.length;) {
    const first = bytes.readUInt8(at)
    const size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4
    const character = bytes.subarray(at, at + size)
    const whole = character.length === size && isUtf8(character)
    text += whole ? character.toString() : String.fromCharCode(ESCAPE + first)
    at += whole ? size : 1
  }
  return text
}

function unescaped(part: string): Buffer {
  return Buffer.from(Array.from(part, (char) => char.charCodeAt(0) - ESCAPE))
}
