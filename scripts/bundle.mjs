#!/usr/bin/env node
/**
 * The bundle: what people start, `groundlock.cjs`, made of the modules beside it in the folder that is named. Loading
 * ninety small files costs Node twice what the program itself does before the first byte is read, on a Pi half a second.
 * Whatever a module finds by its own place, it finds as before: the worker and the table of messages are not bundled.
 */
import { chmodSync, existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { rolldown } from 'rolldown'

const folder = resolve(process.argv[2] ?? 'dist')
const PROGRAM = 'groundlock'

/** Where a module was before it became part of the bundle, as an expression of the bundle. */
function placeOf(id) {
  return `require('node:path').join(__dirname, ${JSON.stringify(relative(folder, id))})`
}

/** The licence texts of the packages that these modules belong to. */
function licences(modules) {
  const packages = new Set(modules.filter((id) => id.includes('/node_modules/')).map(packageOf))
  return [...packages]
    .toSorted((a, b) => (a < b ? -1 : 1))
    .map((path) => {
      const { name, version } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'))
      const file = readdirSync(path).find((each) => /^licen[cs]e/i.test(each))
      if (file === undefined) throw new Error(`${name} has no licence text`)
      return `${name} ${version}\n\n${readFileSync(join(path, file), 'utf8').trim()}\n`
    })
    .join(`\n${'-'.repeat(80)}\n\n`)
}

/** The folder of the package that the module is of: the nearest with a manifest that has a name. */
function packageOf(id) {
  for (let path = dirname(id); ; path = dirname(path)) {
    const manifest = join(path, 'package.json')
    if (existsSync(manifest) && 'name' in JSON.parse(readFileSync(manifest, 'utf8'))) return path
  }
}

const ownPlaces = {
  name: 'own-places',
  transform(code, id) {
    if (id.startsWith(folder) && code.includes('import.meta.url')) {
      return code.replaceAll('import.meta.url', `require('node:url').pathToFileURL(${placeOf(id)}).href`)
    }
    // The package looks for its compiled part from its own folder.
    if (id.includes('/@serialport/bindings-cpp/') && code.includes('__dirname')) {
      const main = "require.resolve('@serialport/bindings-cpp')"
      return code.replaceAll('__dirname', `require('node:path').dirname(${main})`)
    }
    return null
  },
}

const bundle = await rolldown({
  input: { [PROGRAM]: join(folder, 'main.js') },
  platform: 'node',
  // sqlite3 and onoff are compiled code; node-mavlink is for the simulator only, and large.
  external: ['sqlite3', 'onoff', 'node-mavlink'],
  plugins: [ownPlaces],
})
const { output } = await bundle.write({
  dir: folder,
  format: 'cjs',
  entryFileNames: '[name].cjs',
  chunkFileNames: `${PROGRAM}-[name].cjs`,
})
await bundle.close()
writeFileSync(join(folder, 'licences.txt'), licences(output.flatMap(({ moduleIds }) => moduleIds ?? [])))
chmodSync(join(folder, `${PROGRAM}.cjs`), 0o755)
