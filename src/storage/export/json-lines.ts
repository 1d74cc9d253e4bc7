/**
 * JSON lines: the frames of a flight as text, one JSON object a line, in the order they came in.
 *
 *     {"meta":{"type":"ATTITUDE","msgId":30,"mavlink":2,"signed":false,"link":"radio","srcSystem":1,"srcComponent":1,
 *      "seq":7,"recv_time_us":100000000,"timestamp":1704067200.000000},"data":{"time_boot_ms":5012,"roll":0.1, …}}
 *
 * `meta` and `data`, and in `meta` type, timestamp, srcSystem, srcComponent and seq are what pymavlink's
 * `mavlogdump --format json` calls them.
 */
import { headerAt } from '../../link/frame.js'
import type { FrameHeader } from '../../link/frame.js'
import { loadDialect } from '../../mavlink/dialect.js'
import type { UtcClock } from '../flight/clock-anchors.js'
import { isBelievable } from '../import/tlog.js'
import { FRAME } from '../segment/records.js'
import type { Records } from '../segment/records.js'
import { messageName } from './csv-export.js'
import { jsonFieldsOf } from './json-fields.js'
import type { JsonField } from './json-fields.js'
import type { Sink } from './output.js'
import type { Selection } from './selection.js'
import { TextBytes } from './text-bytes.js'

/** Text is gathered up to this before it is written (bytes). */
const WRITE_BYTES = 256 * 1024

/** Longest payload of a frame: its length is one byte (bytes). */
const MAX_PAYLOAD_BYTES = 255

const ascii = (text: string): Uint8Array => Buffer.from(text, 'latin1')
const RECV_TIME = ascii(',"recv_time_us":')
const TIMESTAMP = ascii(',"timestamp":')
const NO_TIMESTAMP = ascii('null')
const DATA = ascii('},"data":{')
const END = ascii('}}\n')
const PAYLOAD_HEX = ascii('"payload_hex":"')
const QUOTE = ascii('"')
const DOT = ascii('.')

/** What the lines of all frames of one kind and sender share. */
interface Kind {
  /** From the line's beginning to `"seq":`. */
  head: Uint8Array
  /** Whole payload with extensions (bytes). */
  length: number
  /** undefined of a message that no definition knows. */
  fields: readonly JsonField[] | undefined
}

export class JsonLines {
  /** Frames that were written. */
  count = 0
  /** Bytes of noise in the span, which have no line. */
  noiseBytes = 0
  readonly #file: Sink
  readonly #clock: UtcClock
  readonly #links: readonly string[]
  readonly #out = new TextBytes()
  readonly #kinds = new Map<number, Kind>()
  readonly #fields = new Map<number, readonly JsonField[]>()
  /** A payload with the zeros that its sender cut off. */
  readonly #whole = new Uint8Array(MAX_PAYLOAD_BYTES)
  readonly #wholeView = new DataView(this.#whole.buffer)

  constructor(file: Sink, clock: UtcClock, links: readonly string[]) {
    this.#file = file
    this.#clock = clock
    this.#links = links
  }

  /** Writes a line for each selected frame. */
  add(records: Records, { msgids, link, fromUs, toUs }: Selection): void {
    const { count, bytes, kinds, links, times, ends } = records
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const wanted = msgids === undefined ? undefined : new Set(msgids)
    for (let i = 0, start = 0; i < count; start = ends[i++]!) {
      const time = times[i]!
      const recvUs = Number(time)
      if (recvUs < fromUs || recvUs >= toUs || (link !== undefined && links[i] !== link)) continue
      if (kinds[i] !== FRAME) {
        this.noiseBytes += ends[i]! - start
        continue
      }
      const header = headerAt(bytes, start)
      if (!(wanted?.has(header.msgid) ?? true)) continue
      this.#line(header, links[i]!, time, bytes, view, start + header.payloadOffset)
      if (this.#out.length >= WRITE_BYTES) this.flush()
    }
    this.flush()
  }

  flush(): void {
    this.#file.write(this.#out.written())
    this.#out.clear()
  }

  #line(
    header: FrameHeader,
    link: number,
    time: bigint,
    bytes: Uint8Array,
    view: DataView,
    payload: number,
  ): void {
    const out = this.#out
    const kind = this.#kindOf(header, link)
    out.bytes(kind.head)
    out.integer(header.seq)
    this.#times(time)
    out.bytes(DATA)
    const { payloadBytes } = header
    if (kind.fields === undefined) {
      out.bytes(PAYLOAD_HEX)
      out.ascii(Buffer.from(bytes.subarray(payload, payload + payloadBytes)).toString('hex'))
      out.bytes(QUOTE)
    } else if (payloadBytes < kind.length) {
      for (let n = 0; n < payloadBytes; n++) this.#whole[n] = bytes[payload + n]!
      this.#whole.fill(0, payloadBytes, kind.length)
      this.#values(kind.fields, this.#wholeView, 0)
    } else this.#values(kind.fields, view, payload)
    out.bytes(END)
    this.count++
  }

  /** Both are exact as text; a receive time beyond 2^53 is only in damaged recordings. */
  #times(time: bigint): void {
    const out = this.#out
    const recvUs = Number(time)
    out.bytes(RECV_TIME)
    if (recvUs <= Number.MAX_SAFE_INTEGER) out.integer(recvUs)
    else out.bigint(time)
    out.bytes(TIMESTAMP)
    const utcUs = recvUs + this.#clock.offsetUs(recvUs)
    if (this.#clock.source === undefined || !isBelievable(utcUs)) {
      out.bytes(NO_TIMESTAMP)
      return
    }
    const second = Math.floor(utcUs / 1e6)
    out.integer(second)
    out.bytes(DOT)
    out.padded(utcUs - second * 1e6, 6)
  }

  #values(fields: readonly JsonField[], view: DataView, start: number): void {
    for (let f = 0; f < fields.length; f++) {
      const { label, cell } = fields[f]!
      this.#out.bytes(label)
      cell(this.#out, view, start)
    }
  }

  #kindOf(header: FrameHeader, link: number): Kind {
    const { version, signed, sysid, compid, msgid } = header
    // 24 bits of msgid, 8 each of link, sysid, compid, 2 of version and signature: a number holds 53.
    const sender = ((link << 16) | (sysid << 8) | compid) * 4 + (version - 1) * 2 + (signed ? 1 : 0)
    const key = sender * 2 ** 24 + msgid
    let kind = this.#kinds.get(key)
    if (kind === undefined) this.#kinds.set(key, (kind = this.#newKind(header, link)))
    return kind
  }

  #newKind({ version, signed, sysid, compid, msgid }: FrameHeader, link: number): Kind {
    const layout = loadDialect().byId.get(msgid)
    const meta = {
      type: messageName(msgid),
      msgId: msgid,
      mavlink: version,
      signed,
      link: this.#links[link] ?? String(link),
      srcSystem: sysid,
      srcComponent: compid,
    }
    const head = Buffer.from(`{"meta":${JSON.stringify(meta).slice(0, -1)},"seq":`)
    if (layout === undefined) return { head, length: 0, fields: undefined }
    let fields = this.#fields.get(msgid)
    if (fields === undefined) this.#fields.set(msgid, (fields = jsonFieldsOf(layout)))
    return { head, length: layout.length, fields }
  }
}
