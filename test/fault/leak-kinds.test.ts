/**
 * What leaves a shut door over a VLAN, a bond, a macvlan, WireGuard and an ipvlan: nothing, neither over the device nor over what it
 * lies on. Each carries everything while permitted. Where the kernel makes none of a kind its row is printed as not run;
 * `scripts/vm-test --only leaks` runs all of them on Debian's kernel.
 */
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest'
import { describeNetwork, whyNoNetwork } from '../support/lab/describe-network.js'
import { LeakLab } from '../support/leak-lab.js'
import { LeakTable, sayIfNotRun } from '../support/leak-table.js'
import type { Column } from '../support/leak-table.js'
import { BARE_ROWS, RAW_ROWS, sumOf } from '../support/leak-traffic.js'
import { SOAK_TIMEOUT_MS } from '../support/soak.js'
import { UPLINK_KINDS, whyNone } from '../support/uplink-kinds.js'
import type { UplinkKind } from '../support/uplink-kinds.js'

const FRAMES = 5
/** A frame as often as one program can (ms). */
const DENSE_MS = 0.1

const table = new LeakTable()
const nothing = { total: 0, frames: [] }

describe('over a device that lies on another uplink', () => {
  afterAll(() => table.print('What leaves over devices that lie on another uplink'))

  for (const kind of UPLINK_KINDS) {
    const none = whyNoNetwork() ?? whyNone(kind)
    sayIfNotRun(kind.row, none)
    describeNetwork(kind.row, () => leaks(kind), {}, none)
  }
})

function leaks(kind: UplinkKind): void {
  let lab: LeakLab

  beforeEach(async () => {
    lab = await LeakLab.make()
    await kind.prepare(lab.net)
    await kind.make(lab.net)
    await kind.dress(lab.net)
  })

  afterEach(() => lab.close())

  test(
    'nothing leaves a shut door, everything a permitted one, and nothing of old at the next opening',
    async () => {
      await lab.open()
      await expectCovered(lab, kind)
      await tryAll(lab, kind, 'shut')

      await opened(lab, kind)
      await lab.eachRow(
        kind.rows,
        FRAMES,
        (row, sent, arrived) => {
          table.add(rowOf(kind, row), 'permitted', sent, arrived)
          expect({ row, arrived: arrived > 0 }).toEqual({ row, arrived: true })
        },
        { far: kind.far, ...where(kind) },
      )
      await lab.shut()
      await tryAll(lab, kind, 'just shut')

      await opened(lab, kind)
      await lab.shut()
      await lab.net.capture.take()
      const { queued } = await lab.force(['queued'], FRAMES, named(kind), () => kind.dress(lab.net))
      const before = await lab.net.capture.take()
      table.add(`${kind.row}: queued`, 'just shut', queued!, before.total)
      await opened(lab, kind)
      await lab.untilQueuesAreEmpty()
      const { marks } = await lab.net.capture.take()
      expect({ queued: queued! > 0, before: before.total, after: marks['queued'] ?? 0 }).toEqual({
        queued: true,
        before: 0,
        after: 0,
      })
      await lab.shut()
      expect(await lab.grew()).toEqual([])
      expect(table.leaks()).toEqual([])
    },
    SOAK_TIMEOUT_MS,
  )

  test(
    'one that appears while shut is covered, and sends nothing meanwhile',
    async () => {
      const { station, capture } = lab.net
      await station.run('ip', 'link', 'delete', kind.device)
      await lab.open()
      await capture.take()
      await lab.hammer(kind.rows, DENSE_MS, where(kind))
      await kind.make(lab.net)
      await kind.dress(lab.net).catch(takenDown)
      await expectCovered(lab, kind)
      const { tried } = await lab.rest()
      const arrived = await capture.take()
      // Its raw frames too: what it lies on is covered already.
      table.add(`${kind.row}: while it appears`, 'shut', tried, arrived.total)
      expect({ sent: tried > 0, ...arrived }).toMatchObject({ sent: true, ...nothing })
      await tryAll(lab, kind, 'shut')
      expect(await lab.grew()).toEqual([])
    },
    SOAK_TIMEOUT_MS,
  )
}

/** The door took the link down while it was made ready: that is its work, and `force` takes it up again. */
const takenDown = () => undefined

const named = ({ number, device }: UplinkKind) => ({ number, name: device })
const where = ({ number, device }: UplinkKind) => ({ device, via: number })

async function expectCovered(lab: LeakLab, { device, lower }: UplinkKind): Promise<void> {
  const { kernel, problems, uplinks } = await lab.read()
  const covered = uplinks.filter(({ isCovered }) => isCovered).map(({ name }) => name)
  expect({ kernel, problems, covered }).toMatchObject({
    kernel: 'shut',
    problems: [],
    covered: expect.arrayContaining([device, lower]),
  })
}

/** Permitted, with a new connection over the device, which is so seen to carry. */
async function opened(lab: LeakLab, kind: UplinkKind): Promise<void> {
  await lab.permit()
  await kind.dress(lab.net)
  await lab.ask({ op: 'hang up' })
  // A tunnel has to shake hands first.
  const connect = async () => (await lab.ask<{ errors: object }>({ op: 'connect', via: kind.number })).errors
  await expect.poll(connect, { timeout: 10_000 }).toEqual({})
}

/** Rows of one kind are two in the table, and all that has no mark. */
function rowOf({ row }: UplinkKind, sent: string): string {
  return `${row}: ${[...RAW_ROWS, ...BARE_ROWS].includes(sent) ? 'raw' : 'IP and ARP'}`
}

/** Everything by force over the device, and raw frames over what it lies on; nothing may arrive, at any device. */
async function tryAll(lab: LeakLab, kind: UplinkKind, column: Column): Promise<void> {
  const { capture } = lab.net
  await capture.take()
  const sent = await lab.force(kind.rows, FRAMES, named(kind), () => kind.dress(lab.net))
  const arrived = await capture.take()
  for (const row of kind.rows) table.add(rowOf(kind, row), column, sent[row]!, arrived.marks[row] ?? 0)
  const untried = kind.rows.filter((row) => sent[row] === 0 && row !== 'tcp kept')
  const lower = { number: kind.number, name: kind.lower }
  const below = sumOf(await lab.force(RAW_ROWS, FRAMES, lower, () => kind.dress(lab.net)))
  const arrivedBelow = await capture.take()
  table.add(`${kind.row}: of any kind`, column, sumOf(sent), arrived.total)
  table.add(`${kind.row}: raw, over what it lies on`, column, below, arrivedBelow.total)
  expect({ untried, ...arrived }).toMatchObject({ untried: [], ...nothing })
  expect({ below: below > 0, ...arrivedBelow }).toMatchObject({ below: true, ...nothing })
}
