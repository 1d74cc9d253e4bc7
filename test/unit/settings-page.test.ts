/** docs/configuration.md says what the program does: it is the settings table, printed. `npm run docs` rewrites it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { expect, it } from 'vitest'
import { settingText, settingsMarkdown } from '../../src/base/settings-page.js'
import { ALL_SETTINGS, SETTINGS } from '../../src/base/settings.js'
import { REPOSITORY } from '../support/groundlock.js'

const PAGE = join(REPOSITORY, 'docs', 'configuration.md')

it('docs/configuration.md is the settings table (npm run docs rewrites it)', async () => {
  const page = await format(settingsMarkdown(ALL_SETTINGS), {
    ...(await resolveConfig(PAGE)),
    parser: 'markdown',
  })
  if (process.env['UPDATE'] !== undefined) writeFileSync(PAGE, page)
  expect(readFileSync(PAGE, 'utf8')).toBe(page)
})

it('a setting on a terminal: key, default with its unit, meaning within 80 columns, example', () => {
  const lines = settingText(SETTINGS.linkBaud).split('\n')
  expect(lines[0]).toBe('link.*.baud  (default 57600 bit/s)')
  expect(lines.at(-1)).toBe('    example: link.radio.baud = 115200')
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
})
