/** Settings page: the settings table as a person reads it, on a terminal and as docs/configuration.md. */
import { ALL_SETTINGS, type Setting } from './settings.js'

/** Width of a wrapped line on a terminal (columns). */
const COLUMNS = 80

/** One setting for a terminal: its key and default, then what it means, indented and wrapped. */
export function settingText(setting: Setting): string {
  const indent = '    '
  return [
    `${setting.key}  (${defaultText(setting)})`,
    ...wrapped(setting.doc, COLUMNS - indent.length),
    `example: ${exampleLine(setting)}`,
  ]
    .map((line, index) => (index === 0 ? line : indent + line))
    .join('\n')
}

/** The whole table as the Markdown page of the docs. */
export function settingsMarkdown(settings: readonly Setting[]): string {
  const head = `# Configuration

<!-- Made from src/base/settings.ts by \`npm run docs\`; a change made here by hand is lost. -->

One TOML file, \`/etc/groundlock/groundlock.toml\` unless \`--config FILE\` says otherwise. It is checked strictly: an
unknown key is an error. \`groundlock config check\` says what is wrong with a file and on which line;
\`groundlock config explain\` prints this table. \`systemd/groundlock.toml\` is a whole example.

In \`link.*\` the star is a name that you choose: \`[link.radio]\`. At least one link is required.
\`uplink.local[]\` is a list; an entry may also be written as a section of its own, \`[[uplink.local]]\`.`
  const sections = settings.map(
    (setting) => `## \`${setting.key}\`

${setting.doc}

- ${capital(defaultText(setting))}
- Example: \`${exampleLine(setting)}\``,
  )
  return [head, ...sections].join('\n\n') + '\n'
}

function defaultText({ fallback, unit, oneOf }: Setting): string {
  if (oneOf !== undefined) return `exactly one of ${oneOf} is required`
  if (fallback === undefined) return 'required'
  return `default ${JSON.stringify(fallback)}${unit === null ? '' : ` ${unit}`}`
}

function exampleLine(setting: Setting): string {
  const { key, example } = setting
  const list = /^(.*)\[\]\./.exec(key)
  if (list !== null) return `${list[1]} = [{ ${entryExample(setting, list[0]).join(', ')} }]`
  return `${key.replace('*', 'radio')} = ${JSON.stringify(example)}`
}

/** A whole entry that could stand in the file; of keys of which one is enough it has this one, or the first. */
function entryExample(setting: Setting, prefix: string): string[] {
  const beside = ALL_SETTINGS.filter(({ key }) => key.startsWith(prefix))
  const chosen = setting.oneOf === undefined ? beside.find(({ oneOf }) => oneOf !== undefined) : setting
  return beside
    .filter((each) => each.oneOf === undefined || each === chosen)
    .map(({ key, example }) => `${key.slice(prefix.length)} = ${JSON.stringify(example)}`)
}

function wrapped(text: string, width: number): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const last = lines.at(-1)!
    if (last !== '' && last.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`
  }
  return lines
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
