/**
 * Loop device: a disk of its own for a measurement: ext4 in a sparse file. What reaches it is counted by the kernel.
 * Mounted below the folder given, and always let go of: `end` does it, and so does the end of the process.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

/** A sector, whatever the disk's own is (bytes). Source: kernel.org, Documentation/block/stat.rst */
const SECTOR_BYTES = 512
/** Seventh field of /sys/block/X/stat: sectors written. */
const SECTORS_WRITTEN = 6

const run = (program, ...args) =>
  execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim()

/** Why there can be no loop device here; undefined where there can. */
export function whyNoLoopDevice() {
  if (process.getuid?.() !== 0) return 'only root may mount'
  for (const program of ['losetup', 'mkfs.ext4', 'mount', 'umount'])
    try {
      run('which', program)
    } catch {
      return `${program} is missing`
    }
  try {
    run('losetup', '--find')
  } catch {
    return 'this machine has no loop devices'
  }
  return undefined
}

/** Makes one of `bytes` in blocks of `blockBytes` and mounts it at DIR/disk. Errors: those of the programs; nothing is left behind. */
export function createLoopDevice({ dir, bytes, blockBytes = 4096, mountOptions = 'defaults' }) {
  mkdirSync(dir, { recursive: true })
  const image = join(dir, 'image')
  const mountPoint = join(dir, 'disk')
  writeFileSync(image, '')
  truncateSync(image, bytes)
  mkdirSync(mountPoint)
  // The tables of inodes at once: else the kernel writes them behind, for minutes, and it would count.
  run('mkfs.ext4', '-q', '-b', blockBytes, '-E', 'lazy_itable_init=0,lazy_journal_init=0', image)
  const device = run('losetup', '--find', '--show', image)
  let mounted = false
  const end = () => {
    process.off('exit', end)
    if (mounted) run('umount', '--lazy', mountPoint)
    mounted = false
    run('losetup', '--detach', device)
  }
  // Before whoever removes the folder at the end: what is mounted must not be removed.
  process.prependOnceListener('exit', end)
  try {
    run('mount', '-o', mountOptions, device, mountPoint)
    mounted = true
  } catch (error) {
    end()
    throw error
  }
  const sync = () => run('sync', '--file-system', mountPoint)
  return {
    path: mountPoint,
    end,
    /** Bytes written to the device so far, with all that the file system still holds back. */
    writtenBytes() {
      sync()
      const fields = readFileSync(`/sys/block/${basename(device)}/stat`, 'utf8')
        .trim()
        .split(/\s+/)
      return Number(fields[SECTORS_WRITTEN]) * SECTOR_BYTES
    },
  }
}
