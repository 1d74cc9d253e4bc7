/** Enum name: what a value of a field is called in the MAVLink definitions. */
import type { Dialect, EnumLayout, MessageLayout } from './dialect.js'

/**
 * `MAV_TYPE_QUADROTOR` for 2 of HEARTBEAT.type; of a bitmask the names of its bits, lowest first, joined by `|`, bits
 * without a name as one hexadecimal number at the end: `MAV_MODE_FLAG_AUTO_ENABLED|0x100`.
 * null where there is no name: the field has no enum, or the value none of its entries. Of an array: of one element.
 */
export function enumName(
  dialect: Dialect,
  layout: MessageLayout,
  fieldName: string,
  value: number | bigint,
): string | null {
  const field = layout.fields.find((each) => each.name === fieldName)
  const found = dialect.enums.get(field?.enum ?? '')
  if (found === undefined) return null
  return found.entries.get(Number(value)) ?? (found.bitmask ? bitNames(found, BigInt(value)) : null)
}

function bitNames({ entries }: EnumLayout, value: bigint): string | null {
  const names: string[] = []
  let rest = value
  for (const [bits, name] of entries) {
    const mask = BigInt(bits)
    if (mask === 0n || (value & mask) !== mask) continue
    names.push(name)
    rest &= ~mask
  }
  if (names.length === 0) return null
  if (rest !== 0n) names.push(`0x${rest.toString(16)}`)
  return names.join('|')
}
