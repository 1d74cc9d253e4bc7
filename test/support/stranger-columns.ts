/** The stranger's columns: sections "Columns" and "Column" of docs/flight-file.md. */
import { unzigzag, type Cursor } from './stranger-cursor.js'

/** What is to be read: `rows` numbers, or texts, of `width` bytes each. */
export interface ColumnPlan {
  kind: 'numbers' | 'text'
  width: number
  rows: number
}

/** The plan's numbers, or its texts. */
export interface Column extends ColumnPlan {
  numbers: bigint[]
  texts: Uint8Array[]
}

interface Head {
  transform: number
  scale: number
  divisor: bigint
  first: bigint
  planes: { liveliness: number; bytes: Uint8Array }[]
}

export function readColumns(cursor: Cursor, plans: readonly ColumnPlan[]): Column[] {
  const heads = plans.map((plan) =>
    plan.kind === 'numbers' && plan.rows > 0 ? readHead(cursor, plan) : undefined,
  )
  const texts = plans.map(({ kind, width, rows }) =>
    kind === 'text' ? Array.from({ length: rows }, () => cursor.take(width)) : [],
  )
  const planes = heads.flatMap((head) => head?.planes ?? [])
  for (const liveliness of [1, 2, 3]) {
    for (const plane of planes.filter((each) => each.liveliness === liveliness)) {
      plane.bytes = cursor.take(plane.bytes.length)
    }
  }
  return plans.map((plan, i) => {
    const head = heads[i]
    return { ...plan, numbers: head === undefined ? [] : readColumn(head, plan), texts: texts[i]! }
  })
}

function readHead(cursor: Cursor, { width, rows }: ColumnPlan): Head {
  const how = cursor.small()
  const scale = how >> 2
  const divisor = scale === 1 ? BigInt(cursor.varint()) : 0n
  const liveliness = cursor.small(width === 8 ? 2 : 1)
  const planes = Array.from({ length: width }, (_, k) => ({
    liveliness: (liveliness >> (2 * k)) & 3,
    bytes: new Uint8Array(rows - 1),
  }))
  return { transform: how & 3, scale, divisor, first: cursor.number(width), planes }
}

function readColumn(head: Head, { width, rows }: ColumnPlan): bigint[] {
  const modulo = (sum: bigint) => BigInt.asUintN(8 * width, sum)
  const { transform, first, planes } = head
  const { first: w0, valueOf } = scaling(head, width)
  const numbers = [first]
  let w = modulo(w0)
  let d = 0n
  for (let i = 1; i < rows; i++) {
    const r = planes.reduceRight((sum, { bytes }) => (sum << 8n) | BigInt(bytes[i - 1]!), 0n)
    if (transform === 0) w = r
    else if (transform === 1) w = modulo(w + unzigzag(r))
    else if (transform === 2) w = modulo(w + (d += unzigzag(r)))
    else w ^= r
    numbers.push(modulo(valueOf(BigInt.asIntN(8 * width, w))))
  }
  return numbers
}

/** w[0] of a scale, and what makes v[i] of the signed w[i]. */
function scaling(
  { scale, first, divisor }: Head,
  width: number,
): { first: bigint; valueOf: (w: bigint) => bigint } {
  if (scale === 0) return { first, valueOf: (w) => w }
  if (scale === 1) return { first: 0n, valueOf: (w) => first + divisor * w }
  const floats = FLOAT_SCALES[scale]
  if (floats === undefined || width !== 4) throw new RangeError(`scale ${scale} at width ${width}`)
  const nearest = BigInt(Math.round(floatOf(first) * floats.d))
  return { first: nearest, valueOf: (w) => bitsOf(floats.f(Number(w))) }
}

const FLOAT_SCALES: Record<number, { d: number; f: (n: number) => number }> = {
  2: { d: 1, f: (n) => n },
  3: { d: 10, f: (n) => n * Math.fround(0.1) },
  4: { d: 10, f: (n) => n / 10 },
  5: { d: 100, f: (n) => n * Math.fround(0.01) },
  6: { d: 100, f: (n) => n / 100 },
  7: { d: 1000, f: (n) => n * Math.fround(0.001) },
  8: { d: 1000, f: (n) => n / 1000 },
}

/** The float of these bits. */
function floatOf(bits: bigint): number {
  return new Float32Array(Uint32Array.of(Number(bits)).buffer)[0]!
}

/** The bits of the float nearest to a double. */
function bitsOf(value: number): bigint {
  return BigInt(new Uint32Array(Float32Array.of(value).buffer)[0]!)
}
