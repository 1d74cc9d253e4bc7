/**
 * Build dialect: writes src/mavlink/generated/dialect.json, the table of all ardupilotmega messages.
 *
 *   mavlink-mappings (306 messages) ─┐
 *   dialect/missing-messages.json (19) ┼─▶ checked ─▶ dialect.json (its form: src/mavlink/dialect.ts)
 *   dialect/enum-names.json ─────────┘
 *
 * Checked: each CRC_EXTRA recomputed from names, types and array lengths, each length from the fields, each
 * field's offset against the end of the one before. A difference ends the build: a wrong layout decodes to
 * wrong numbers without a word. Source of the rules: mavlink.io/en/guide/serialization.html
 */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'

/** Messages of ardupilotmega.xml with all it includes (messages). Another number is another dialect: look at it. */
const MESSAGES = 325

/** The package's parts that ardupilotmega.xml includes; loweheiser, cubepilot and csAirLink it does not have. */
const PARTS = ['minimal', 'standard', 'common', 'uavionix', 'icarous', 'ardupilotmega']

const BYTES = {
  char: 1,
  int8_t: 1,
  uint8_t: 1,
  int16_t: 2,
  uint16_t: 2,
  int32_t: 4,
  uint32_t: 4,
  float: 4,
  int64_t: 8,
  uint64_t: 8,
  double: 8,
}

const OUT = new URL('../src/mavlink/generated/dialect.json', import.meta.url)

const require = createRequire(import.meta.url)
const missing = readJson('./dialect/missing-messages.json')
const enumNames = readJson('./dialect/enum-names.json')

function readJson(path) {
  return JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'))
}

/** `MavModeFlag` → `MAV_MODE_FLAG`: the package makes class names of the XML's names; none has a digit. */
function xmlEnumName(className) {
  return className.replace(/(?<=.)[A-Z]/g, '_$&').toUpperCase()
}

/**
 * Class → its fields' types as declared, by the package's names for both. Only the declarations say which
 * field has which enum: `export declare class Heartbeat extends MavLinkData { … type: MavType; … }`.
 */
function declaredTypes(part) {
  const text = readFileSync(require.resolve(`mavlink-mappings/dist/lib/${part}.d.ts`), 'utf8')
  const classes = new Map()
  for (const [, name, body] of text.matchAll(
    /^export declare class (\w+) extends MavLinkData \{(.*?)^\}/gms,
  )) {
    classes.set(name, new Map(Array.from(body.matchAll(/^ {4}(\w+): (\w+)/gm), (m) => [m[1], m[2]])))
  }
  return classes
}

function packageMessage(message, types) {
  const fields = message.FIELDS.map((field) => {
    const type = field.type.replace('[]', '').replace('_mavlink_version', '')
    const declared = types.get(field.name)
    assert(declared, `${message.MSG_NAME}.${field.source} is declared`)
    return {
      name: field.source,
      type,
      offset: field.offset,
      arrayLength: field.length,
      extension: field.extension,
      units: field.units || null,
      enum: /^[A-Z]/.test(declared) ? xmlEnumName(declared) : null,
    }
  })
  return {
    msgid: message.MSG_ID,
    name: message.MSG_NAME,
    crcExtra: message.MAGIC_NUMBER,
    length: message.PAYLOAD_LENGTH,
    fields,
  }
}

function missingMessage(message) {
  let offset = 0
  const fields = message.fields.map(([name, type, arrayLength, units, enumName]) => {
    const field = { name, type, offset, arrayLength, extension: false, units, enum: enumName }
    offset += fieldBytes(field)
    return field
  })
  return {
    msgid: message.id,
    name: message.name,
    crcExtra: message.crc_extra,
    length: message.wire_length,
    fields,
  }
}

function fieldBytes(field) {
  assert(field.type in BYTES, `${field.name}: ${field.type} is a MAVLink type`)
  return BYTES[field.type] * (field.arrayLength || 1)
}

/** X.25 of "NAME type field type field <array length> …" over all but extensions, its two bytes XORed. */
function crcExtraOf(message) {
  let crc = 0xffff
  const add = (byte) => {
    let low = (byte ^ crc) & 0xff
    low = (low ^ (low << 4)) & 0xff
    crc = (crc >> 8) ^ (low << 8) ^ (low << 3) ^ (low >> 4)
  }
  Buffer.from(`${message.name} `).forEach(add)
  for (const field of message.fields.filter((each) => !each.extension)) {
    Buffer.from(`${field.type} ${field.name} `).forEach(add)
    if (field.arrayLength > 0) add(field.arrayLength)
  }
  return (crc ^ (crc >> 8)) & 0xff
}

/** The message with its base length; throws where two statements about it differ. */
function checked(message) {
  const { name, fields } = message
  let end = 0
  for (const [i, field] of fields.entries()) {
    assert.equal(field.offset, end, `${name}.${field.name}: offset`)
    assert(field.extension || !fields[i - 1]?.extension, `${name}.${field.name}: extensions come last`)
    end += fieldBytes(field)
  }
  assert.equal(message.length, end, `${name}: length`)
  assert(end > 0 && end <= 255, `${name}: a payload has 1 to 255 bytes`)
  assert.equal(new Set(fields.map((field) => field.name)).size, fields.length, `${name}: names of fields`)
  assert.equal(message.crcExtra, crcExtraOf(message), `${name}: CRC_EXTRA`)
  return { ...message, baseLength: fields.find((field) => field.extension)?.offset ?? end }
}

/** All enums: XML name → value → entry as the package has it. One enum may be spread over several parts (MAV_CMD). */
function packageEnums(libs) {
  const enums = new Map()
  for (const [className, value] of libs.flatMap((lib) => Object.entries(lib))) {
    if (typeof value !== 'object' || className === 'REGISTRY' || className === 'COMMANDS') continue
    const name = xmlEnumName(className)
    const entries = enums.get(name) ?? new Map()
    for (const [entry, number] of Object.entries(value)) {
      if (typeof number !== 'number') continue // TypeScript's reverse mapping
      assert(!entries.has(number), `${name}: ${number} has one name`)
      entries.set(number, xmlEntryName(name, entry))
    }
    enums.set(name, entries)
  }
  return enums
}

function xmlEntryName(enumName, entry) {
  const prefix = enumNames.prefix[enumName] ?? `${enumName}_`
  const whole = entry.startsWith(prefix) || enumNames.whole[enumName]?.includes(entry)
  return whole ? entry : prefix + entry
}

/**
 * The package does not say which enums are flags. Their values do: single bits, and either more than the
 * {0, 1, 2} that a plain enum has too, or no 0.
 */
function isBitmask(name, values) {
  if (enumNames.bitmask.includes(name)) return true
  const singleBits = values.every((value) => value >= 0 && Number.isInteger(Math.log2(value || 1)))
  return singleBits && (!values.includes(0) || Math.max(...values) >= 4)
}

function build() {
  const libs = PARTS.map((part) => require(`mavlink-mappings/dist/lib/${part}.js`))
  const messages = missing.messages.map(missingMessage)
  for (const [i, part] of PARTS.entries()) {
    const types = declaredTypes(part)
    for (const message of Object.values(libs[i].REGISTRY)) {
      messages.push(packageMessage(message, types.get(message.name)))
    }
  }
  messages.sort((a, b) => a.msgid - b.msgid)
  assert.equal(messages.length, MESSAGES, 'messages of the dialect')
  assert.equal(new Set(messages.map((message) => message.msgid)).size, MESSAGES, 'one message an id')
  assert.equal(new Set(messages.map((message) => message.name)).size, MESSAGES, 'one message a name')

  const enums = packageEnums(libs)
  for (const [name, entries] of Object.entries(enumNames.enums)) enums.set(name, new Map(entries))
  const used = new Set(messages.flatMap((message) => message.fields.map((field) => field.enum ?? [])).flat())
  for (const name of used) assert(enums.has(name), `${name}: is defined`)
  return {
    messages: messages.map(checked).map(messageRow),
    enums: [...used].toSorted(byText).map((name) => enumRow(name, enums.get(name))),
  }
}

function messageRow({ msgid, name, crcExtra, baseLength, length, fields }) {
  const lines = fields.map((field) => {
    const { type, offset, arrayLength, extension, units } = field
    return line(field.name, type, offset, arrayLength, extension ? 1 : 0, units ?? '-', field.enum ?? '-')
  })
  return [msgid, name, crcExtra, baseLength, length, lines.join('\n')]
}

function enumRow(name, entries) {
  const lines = [...entries].toSorted(([a], [b]) => a - b).map((entry) => line(...entry))
  return [name, isBitmask(name, [...entries.keys()]), lines.join('\n')]
}

function line(...words) {
  for (const word of words) assert.match(String(word), /^\S+$/, 'words hold no space')
  return words.join(' ')
}

/** By code points: the file is the same on every machine, whatever its locale. */
function byText(a, b) {
  return a < b ? -1 : 1
}

mkdirSync(new URL('.', OUT), { recursive: true })
writeFileSync(OUT, JSON.stringify(build()) + '\n')
