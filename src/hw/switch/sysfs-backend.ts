/**
 * sysfs backend: both edges of each line through `onoff`, and the levels re-read; for kernels without the character device.
 * sysfs cannot set a pull-up, so a cut wire would float: the board has to (`gpio=17,27=ip,pu` in config.txt), and the log says so.
 */
import type { SwitchConfiguration } from '../../base/configuration.js'
import { reasonOf } from '../../base/fault.js'
import { findSysfs, type OnoffLine, type SysfsPlace } from '../gpio/sysfs-lines.js'
import { MOVING_RE_READ_MS, type Backend, type BackendOptions } from './backend.js'
import { circuitOf, linesOf } from './chardev-backend.js'

/** Opens the lines. Errors: `Fault` GL-SWITCH-03, -04. */
export async function openSysfs(
  configuration: SwitchConfiguration,
  { log, listener }: BackendOptions,
  place?: SysfsPlace,
): Promise<Backend> {
  const offsets = linesOf(configuration)
  const sysfs = await findSysfs(configuration.chip, offsets, place)
  const lines = openAll(offsets, (offset) => sysfs.open(offset, 'in', 'both'))
  log.warn(
    `the switch is read through sysfs, which sets no pull-up: config.txt needs gpio=${offsets.join(',')}=ip,pu`,
  )
  const read = () => {
    try {
      const [permit, shut] = lines.map((line) => circuitOf(line.readSync()))
      listener.sample({ permit: permit ?? null, shut: shut ?? null })
    } catch (error) {
      listener.trouble(`a line is gone: ${reasonOf(error)}`)
    }
  }
  // The level that comes with an edge is of one line, and already old: at each edge all are read.
  for (const line of lines) line.watch(read)
  // A reading is two short reads of the kernel's memory, so there is one pace: an edge that is lost is made good by the next one.
  const timer = setInterval(read, MOVING_RE_READ_MS)
  read()
  return {
    name: `sysfs: ${sysfs.chip.label}, line${offsets.length > 1 ? 's' : ''} ${offsets.join(' and ')}`,
    stop() {
      clearInterval(timer)
      for (const line of lines) line.unexport()
      return Promise.resolve()
    },
  }
}

/** All lines, or none is left exported. */
function openAll(offsets: readonly number[], open: (offset: number) => OnoffLine): OnoffLine[] {
  const lines: OnoffLine[] = []
  try {
    for (const offset of offsets) lines.push(open(offset))
    return lines
  } catch (error) {
    for (const line of lines) line.unexport()
    throw error
  }
}
