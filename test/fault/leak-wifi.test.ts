/**
 * Wi-Fi as an uplink: two simulated radios (mac80211_hwsim), one in the station and one outside. What is sent arrives while
 * permitted; while shut nothing does, and the radio is off. Management frames of the radio itself are another matter
 * (KNOWN-ISSUES). Needs a kernel with these radios: `scripts/vm-test --only leaks` has one.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import { describeNetwork, whyNoNetwork } from '../support/lab/describe-network.js'
import { LeakLab } from '../support/leak-lab.js'
import { LeakTable, sayIfNotRun } from '../support/leak-table.js'
import type { Column } from '../support/leak-table.js'
import { ALL_ROWS, sumOf } from '../support/leak-traffic.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { WIFI, WifiLab, whyNoRadios } from '../support/wifi-lab.js'
import { SOAK_TIMEOUT_MS } from '../support/soak.js'

const none = whyNoNetwork() ?? whyNoRadios()

const FRAMES = 5
const folder = temporaryFolder('wifi')
const table = new LeakTable()

sayIfNotRun('Wi-Fi', none)

afterAll(() => table.print('What leaves over Wi-Fi'))

describeNetwork(
  'over Wi-Fi',
  () => {
    let lab: LeakLab
    let wifi: WifiLab

    beforeEach(async () => {
      lab = await LeakLab.make()
      wifi = await WifiLab.make(lab.net).catch(async (error: unknown) => {
        await lab.close()
        throw error
      })
    })

    afterEach(async () => {
      try {
        await wifi.close()
      } finally {
        await lab.close()
      }
    })

    /** Everything, by force; nothing may arrive. */
    async function tryAll(column: Column): Promise<void> {
      await lab.net.capture.take()
      const sent = await lab.force(ALL_ROWS, FRAMES, WIFI.where, () => wifi.dressByForce())
      const arrived = await lab.net.capture.take()
      table.add('Wi-Fi: of any kind', column, sumOf(sent), arrived.total)
      expect({ sent: sumOf(sent) > 0, ...arrived }).toMatchObject({ sent: true, total: 0, frames: [] })
    }

    test(
      'everything leaves a permitted door, nothing a shut one, though the guard be stopped and the radio on',
      async () => {
        expect((await lab.open()).uplinks).toContainEqual(
          expect.objectContaining({ name: WIFI.device, isCovered: true, isUp: false }),
        )
        await lab.permit()
        await wifi.dress()
        const connection = await lab.ask({ op: 'connect', via: WIFI.where.number })
        expect(connection).toMatchObject({ errors: {} })
        await lab.eachRow(
          ALL_ROWS,
          FRAMES,
          (row, sent, arrived) => {
            table.add('Wi-Fi: of any kind', 'permitted', sent, arrived)
            expect({ row, arrived: arrived > 0 }).toEqual({ row, arrived: true })
          },
          { far: WIFI.far, device: WIFI.device, via: WIFI.where.number },
        )
        await lab.shut()
        // The guard would switch the radio off again at once: it is stopped, and the kernel alone keeps everything in.
        lab.driver.signal('SIGSTOP')
        await tryAll('guard stopped')
        lab.driver.signal('SIGCONT')
        await expect
          .poll(async () => (await lab.read()).layers, { timeout: 20_000 })
          .toMatchObject({ rfkill: true })
        expect(await lab.grew()).toEqual([])
      },
      SOAK_TIMEOUT_MS,
    )

    test(
      'its radio is off while shut, off again when somebody switches it on, and on with a permit',
      async () => {
        const radio = () => wifi.isBlocked()
        expect(await radio()).toBe(false)
        const { layers } = await lab.open()
        expect({ rfkill: layers.rfkill, radio: await radio() }).toEqual({ rfkill: true, radio: true })
        await lab.permit()
        expect(await radio()).toBe(false)
        expect((await lab.read()).layers.rfkill).toBe(false)
        expect((await lab.shut()).layers.rfkill).toBe(true)
        await wifi.switchOn()
        await expect.poll(radio, { timeout: 20_000 }).toBe(true)
        // The one outside is not ours.
        expect(await wifi.isOtherBlocked()).toBe(false)
      },
      SOAK_TIMEOUT_MS,
    )

    test(
      'a radio that a guard before it switched off is on with a permit, after a reboot as well',
      async () => {
        const file = join(folder, 'radios')
        await lab.open(undefined, file)
        await expect.poll(() => existsSync(file)).toBe(true)
        await lab.restartDriver()
        // What a reboot leaves: systemd brings the block back, and of our marks none.
        await lab.net.station.ip(`link set ${WIFI.device} alias ''`)
        expect(await wifi.isBlocked()).toBe(true)
        expect((await lab.open(undefined, file)).layers.rfkill).toBe(true)
        await lab.permit()
        expect(await wifi.isBlocked()).toBe(false)
      },
      SOAK_TIMEOUT_MS,
    )

    test(
      'a radio that was off before is off after a permit as well',
      async () => {
        await wifi.switchOff()
        await lab.open()
        await lab.permit()
        expect(await wifi.isBlocked()).toBe(true)
        expect((await lab.shut()).problems).toEqual([])
      },
      SOAK_TIMEOUT_MS,
    )

    test(
      'a radio that carries a local interface as well is left on, and its uplink is shut all the same',
      async () => {
        const mac = await wifi.addLocal()
        const locals = [{ name: WIFI.local, mac, path: null, subnet: '192.168.78.0/24' }]
        const { layers, uplinks } = await lab.open({ locals, ports: [] })
        expect(layers.rfkill).toBe(null)
        expect(await wifi.isBlocked()).toBe(false)
        expect(uplinks.map(({ name }) => name)).not.toContain(WIFI.local)
        expect(uplinks).toContainEqual(
          expect.objectContaining({ name: WIFI.device, isCovered: true, isUp: false }),
        )
        await tryAll('shut')
      },
      SOAK_TIMEOUT_MS,
    )
  },
  {},
  none,
)
