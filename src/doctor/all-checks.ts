/** All checks: the groups of `doctor` in the order in which they are told: what the promise rests on first. */
import { BOOT_GROUP } from './boot-checks.js'
import type { Group } from './check.js'
import { CLOCK_GROUP } from './clock-checks.js'
import { DISK_GROUP } from './disk-checks.js'
import { DOOR_GROUP } from './door-checks.js'
import { INSTALL_GROUP } from './install-checks.js'
import { KERNEL_GROUP } from './kernel-checks.js'
import { OTHERS_GROUP } from './others-checks.js'
import { POWER_GROUP } from './power-checks.js'
import { SERIAL_GROUP } from './serial-checks.js'
import { SWITCH_GROUP } from './switch-checks.js'
import { UPLINK_GROUP } from './uplink-checks.js'
import { VERSION_GROUP } from './version-checks.js'

export const ALL_GROUPS: readonly Group[] = [
  DOOR_GROUP,
  SWITCH_GROUP,
  UPLINK_GROUP,
  KERNEL_GROUP,
  INSTALL_GROUP,
  OTHERS_GROUP,
  BOOT_GROUP,
  SERIAL_GROUP,
  DISK_GROUP,
  CLOCK_GROUP,
  POWER_GROUP,
  VERSION_GROUP,
]
