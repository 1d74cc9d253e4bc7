/** Plain text: text of others (devices' names, tools' answers) as a terminal may be given it. */

/** Every control character becomes a question mark: nothing moves the cursor or paints. */
export function plain(text: string): string {
  return text.replace(/\p{Cc}/gu, '?')
}
