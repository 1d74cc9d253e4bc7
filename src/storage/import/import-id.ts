/**
 * Import id: how the id of an imported flight names the recording it came from.
 *
 *     STATION-import-HASH      the whole recording; gives the file back
 *     STATION-import-HASH-N    flight N of those it was split into; the first is published last, so it stands for all
 */

/** Hex digits of the file's SHA-256 in the flight's id: two of a million files share them once in 10^8 vaults. */
const ID_HASH_DIGITS = 16

/** The part of a flight's id that names the recording. */
export function importIdOf(sha256: string): string {
  return `import-${sha256.slice(0, ID_HASH_DIGITS)}`
}

export function isWholeImport(id: string, recording: string): boolean {
  return id.endsWith(`-${recording}`)
}

/** Which of the flights that the recording was split into this is, from 1; undefined where it is none of them. */
export function splitPartOf(id: string, recording: string): number | undefined {
  const [, number] = new RegExp(`-${recording}-([1-9][0-9]*)$`).exec(id) ?? []
  return number === undefined ? undefined : Number(number)
}
