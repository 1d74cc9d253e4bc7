/** Oracle samples: real frames decode to what pymavlink says of them, field by field. */
import { describe, expect, test } from 'vitest'
import { decoderFor, type FieldValue } from '../../src/mavlink/decode.js'
import { loadDialect, type FieldLayout, type MessageLayout } from '../../src/mavlink/dialect.js'
import { enumName } from '../../src/mavlink/enum-name.js'
import { captures, capturesReason, type OracleValue, type Sample } from '../support/captures.js'

const dialect = loadDialect()

/** Bytes before the payload, by MAVLink version. */
const HEADER_BYTES = { 1: 6, 2: 10 } as const

function layoutOf(sample: Sample): MessageLayout {
  const layout = dialect.byId.get(sample.msgid)
  if (layout === undefined) throw new Error(`no message ${sample.msgid}`)
  return layout
}

function decoded(sample: Sample): Record<string, FieldValue> {
  const frame = Buffer.from(sample.frame_hex, 'hex')
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length)
  return decoderFor(layoutOf(sample))(view, HEADER_BYTES[sample.wire], sample.payload_len)
}

/** A decoded value in the oracle's words: 64-bit integers, NaN and infinities are strings. */
function inOracleWords(value: FieldValue): OracleValue {
  if (typeof value === 'bigint') return String(value)
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (typeof value === 'string') return value
  return value.map((each) => inOracleWords(each) as number | string)
}

/** The oracle's value, floats as the 32 bits they were on the wire. */
function asOnWire(field: FieldLayout, value: OracleValue): OracleValue {
  if (field.type !== 'float' || typeof value === 'string') return value
  if (typeof value === 'number') return Math.fround(value)
  return value.map((each) => (typeof each === 'number' ? Math.fround(each) : each))
}

describe.skipIf(capturesReason !== null)(`samples of the recordings ${capturesReason ?? ''}`, () => {
  test('are there, of every recording', () => {
    expect(captures()).not.toEqual([])
    for (const { oracle } of captures()) expect(oracle.samples).not.toEqual([])
  })

  for (const { name, oracle } of captures()) {
    test.each(oracle.samples)(`${name}: $name at $offset`, (sample) => {
      const layout = layoutOf(sample)
      const ours = decoded(sample)
      const theirs: Record<string, OracleValue> = {}
      for (const field of layout.fields) theirs[field.name] = asOnWire(field, sample.fields[field.name]!)

      expect(Object.keys(sample.fields).toSorted()).toEqual(Object.keys(ours).toSorted())
      expect(Object.fromEntries(Object.entries(ours).map(([k, v]) => [k, inOracleWords(v)]))).toEqual(theirs)
    })

    test(`${name}: names and lengths of messages are the oracle's`, () => {
      for (const sample of oracle.samples) {
        const layout = layoutOf(sample)
        expect(layout.name).toBe(sample.name)
        expect(layout.length).toBe(sample.full_payload_len)
      }
      for (const sample of oracle.samples.filter(({ wire }) => wire === 1)) {
        expect(layoutOf(sample).baseLength).toBe(sample.payload_len)
      }
    })

    test(`${name}: every message in it is known by name`, () => {
      for (const known of Object.keys(oracle.structural.by_name)) expect(dialect.byName.has(known)).toBe(true)
    })

    test(`${name}: types and autopilots of its heartbeats are called what the oracle calls them`, () => {
      const layout = dialect.byName.get('HEARTBEAT')!
      for (const heartbeat of oracle.heartbeats) {
        expect(enumName(dialect, layout, 'type', heartbeat.type)).toBe(heartbeat.type_name)
        expect(enumName(dialect, layout, 'autopilot', heartbeat.autopilot)).toBe(heartbeat.autopilot_name)
      }
    })
  }
})
