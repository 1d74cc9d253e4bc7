/** Dialect: the table of messages is whole, agrees with itself, and is built again only if it does. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  crcTable,
  loadDialect,
  type FieldLayout,
  type MessageLayout,
  type WireType,
} from '../../src/mavlink/dialect.js'
import { enumName } from '../../src/mavlink/enum-name.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const dialect = loadDialect()

const BYTES: Record<WireType, number> = {
  char: 1,
  int8_t: 1,
  uint8_t: 1,
  int16_t: 2,
  uint16_t: 2,
  int32_t: 4,
  uint32_t: 4,
  int64_t: 8,
  uint64_t: 8,
  float: 4,
  double: 8,
}

function message(name: string): MessageLayout {
  return dialect.byName.get(name)!
}

describe('the dialect', () => {
  test('has the 325 messages of ardupilotmega, by id and by name', () => {
    expect(dialect.byId.size).toBe(325)
    expect([...dialect.byName.values()]).toEqual([...dialect.byId.values()])
    for (const [msgid, layout] of dialect.byId) expect(dialect.byName.get(layout.name)?.msgid).toBe(msgid)
  })

  test('is loaded once', () => expect(loadDialect()).toBe(dialect))

  test.each([
    // By hand, as MAVLink's C headers have them: id, CRC, MIN_LEN, LEN.
    ['HEARTBEAT', 0, 50, 9, 9],
    ['SYS_STATUS', 1, 124, 31, 43],
    ['ATTITUDE', 30, 39, 28, 28],
    ['GLOBAL_POSITION_INT', 33, 104, 28, 28],
    ['COMMAND_LONG', 76, 152, 33, 33],
    ['BATTERY_STATUS', 147, 154, 36, 54],
    ['STATUSTEXT', 253, 83, 51, 54],
    ['SETUP_SIGNING', 256, 71, 42, 42],
    ['EVENT', 410, 160, 53, 53],
    ['AIRLINK_AUTH', 52000, 13, 100, 100],
  ])('%s is message %d with CRC_EXTRA %d and %d to %d bytes', (name, msgid, crcExtra, baseLength, length) => {
    expect(message(name)).toMatchObject({ msgid, crcExtra, baseLength, length })
    expect(crcTable(dialect).get(msgid)).toMatchObject({ crcExtra, baseLength })
  })

  test('has fields that cover each payload without a gap, in the order of the wire', () => {
    const ends = (fields: readonly FieldLayout[]) => {
      return fields.map((field) => field.offset + BYTES[field.type] * (field.arrayLength || 1))
    }
    for (const { fields, baseLength, length } of dialect.byId.values()) {
      expect(fields.map((field) => field.offset)).toEqual([0, ...ends(fields).slice(0, -1)])
      expect(ends(fields).at(-1)).toBe(length)

      const base = fields.filter((field) => !field.extension)
      expect(fields.slice(0, base.length)).toEqual(base)
      expect(ends(base).at(-1)).toBe(baseLength)
      const sizes = base.map((field) => BYTES[field.type])
      expect(sizes).toEqual(sizes.toSorted((a, b) => b - a))
    }
  })

  test("has MAVLink's own names of fields, units and enums", () => {
    expect(message('GPS_RAW_INT').fields.find((field) => field.name === 'fix_type')).toEqual({
      name: 'fix_type',
      type: 'uint8_t',
      offset: 28,
      arrayLength: 0,
      extension: false,
      units: null,
      enum: 'GPS_FIX_TYPE',
    })
    const current = message('BATTERY_STATUS').fields.find((field) => field.name === 'voltages_ext')
    expect(current).toMatchObject({ arrayLength: 4, units: 'mV', extension: true, enum: null })
    expect(message('FILE_TRANSFER_PROTOCOL').fields.at(-1)).toMatchObject({
      name: 'payload',
      arrayLength: 251,
    })
  })

  test('has every enum that a field refers to', () => {
    const used = [...dialect.byId.values()].flatMap(({ fields }) =>
      fields.flatMap((field) => field.enum ?? []),
    )
    expect(new Set(dialect.enums.keys())).toEqual(new Set(used))
    for (const { entries } of dialect.enums.values()) expect(entries.size).toBeGreaterThan(0)
  })
})

describe('the name of a value', () => {
  test.each([
    ['HEARTBEAT', 'type', 2, 'MAV_TYPE_QUADROTOR'],
    ['GPS_RAW_INT', 'fix_type', 3, 'GPS_FIX_TYPE_3D_FIX'],
    ['COMMAND_ACK', 'command', 400, 'MAV_CMD_COMPONENT_ARM_DISARM'],
    ['COMMAND_ACK', 'command', 215, 'MAV_CMD_DO_SET_RESUME_REPEAT_DIST'],
    ['DISTANCE_SENSOR', 'orientation', 25, 'MAV_SENSOR_ROTATION_PITCH_270'],
    ['MISSION_ACK', 'type', 0, 'MAV_MISSION_ACCEPTED'],
    ['AIS_VESSEL', 'navigational_status', 0, 'UNDER_WAY'],
    ['AIS_VESSEL', 'navigational_status', 1, 'AIS_NAV_ANCHORED'],
    ['AIRLINK_AUTH_RESPONSE', 'resp_type', 1, 'AIRLINK_AUTH_OK'],
  ])('%s.%s = %d is %s', (name, field, value, expected) => {
    expect(enumName(dialect, message(name), field, value)).toBe(expected)
  })

  test('of flags is the names of the bits that are set', () => {
    const mode = (value: number) => enumName(dialect, message('HEARTBEAT'), 'base_mode', value)
    expect(mode(0x81)).toBe('MAV_MODE_FLAG_CUSTOM_MODE_ENABLED|MAV_MODE_FLAG_SAFETY_ARMED')
    expect(mode(0x80)).toBe('MAV_MODE_FLAG_SAFETY_ARMED')
    expect(mode(0)).toBeNull()
  })

  test('of flags shows bits without a name, so that none is hidden', () => {
    const imu = (value: number) => enumName(dialect, message('HIGHRES_IMU'), 'fields_updated', value)
    expect(imu(0x8001)).toBe('HIGHRES_IMU_UPDATED_XACC|0x8000')
    expect(imu(0x8000)).toBeNull()
  })

  test('of flags with a number of two bits in them has both', () => {
    const rally = (value: number) => enumName(dialect, message('RALLY_POINT'), 'flags', value)
    expect(rally(1 | 4 | 24)).toBe('FAVORABLE_WIND|ALT_FRAME_VALID|ALT_FRAME')
  })

  test('of 64-bit flags is found for a bigint', () => {
    const name = enumName(dialect, message('AUTOPILOT_VERSION'), 'capabilities', 0x2001n)
    expect(name).toBe('MAV_PROTOCOL_CAPABILITY_MISSION_FLOAT|MAV_PROTOCOL_CAPABILITY_MAVLINK2')
  })

  test('is null where there is none', () => {
    expect(enumName(dialect, message('HEARTBEAT'), 'type', 250)).toBeNull()
    expect(enumName(dialect, message('HEARTBEAT'), 'custom_mode', 1)).toBeNull()
    expect(enumName(dialect, message('HEARTBEAT'), 'no_such_field', 1)).toBeNull()
  })
})

describe('building the table', () => {
  let copy: string
  beforeAll(() => {
    copy = mkdtempSync(join(tmpdir(), 'groundlock-dialect-'))
    cpSync(`${ROOT}scripts/dialect`, `${copy}/scripts/dialect`, { recursive: true })
    cpSync(`${ROOT}scripts/build-dialect.mjs`, `${copy}/scripts/build-dialect.mjs`)
    symlinkSync(`${ROOT}node_modules`, `${copy}/node_modules`)
  })
  afterAll(() => rmSync(copy, { recursive: true }))

  function build(edit: (text: string) => string): { status: number | null; stderr: string } {
    const original = readFileSync(`${ROOT}scripts/dialect/missing-messages.json`, 'utf8')
    const edited = edit(original)
    writeFileSync(`${copy}/scripts/dialect/missing-messages.json`, edited)
    return spawnSync(process.execPath, [`${copy}/scripts/build-dialect.mjs`], { encoding: 'utf8' })
  }

  test('gives the same bytes each time, and those that this build has', () => {
    expect(build((text) => text)).toMatchObject({ status: 0 })
    const built = 'src/mavlink/generated/dialect.json'
    expect(readFileSync(`${copy}/${built}`, 'utf8')).toBe(readFileSync(ROOT + built, 'utf8'))
  })

  test.each([
    ['a wrong CRC_EXTRA', '"crc_extra": 160', '"crc_extra": 161', 'EVENT: CRC_EXTRA'],
    ['a wrong name of a field', '"event_time_boot_ms"', '"event_time_ms"', 'EVENT: CRC_EXTRA'],
    ['a wrong type', '["id", "uint32_t"', '["id", "int32_t"', 'EVENT: CRC_EXTRA'],
    ['an unknown type', '["id", "uint32_t"', '["id", "uint24_t"', 'id: uint24_t is a MAVLink type'],
    ['a wrong length', '"wire_length": 53', '"wire_length": 52', 'EVENT: length'],
    ['an unknown enum', '"ESC_CONNECTION_TYPE"', '"ESC_CONNECTION"', 'ESC_CONNECTION: is defined'],
    ['an id twice', '"id": 410', '"id": 411', 'one message an id'],
  ])('ends with the reason for %s', (_, from, to, reason) => {
    const { status, stderr } = build((text) => {
      expect(text).toContain(from)
      return text.replace(from, to)
    })
    expect(status).not.toBe(0)
    expect(stderr).toContain(reason)
  })
})
