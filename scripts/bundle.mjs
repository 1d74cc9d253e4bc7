#!/usr/bin/env node
/**
 * The bundle: what people start, `groundlock.cjs`, made of the modules beside it in the folder that is named. Loading
 * ninety small files costs Node twice what the program itself does before the first byte is read, on a Pi half a second.
 * Whatever a module finds by its own place, it finds as before: the worker and the table of messages are not bundled.
 */
import { chmodSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { rolldown } from 'rolldown'

const folder = resolve(process.argv[2] ?? 'dist')
const PROGRAM = 'groundlock'

/** Where a module was before it became part of the bundle, as an expression of the bundle. */
function placeOf(id) {
  return `require('node:path').join(__dirname, ${JSON.stringify(relative(folder, id))})`
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
  // sqlite3 is compiled code; node-mavlink is for the simulator only, and large.
  external: ['sqlite3', 'node-mavlink'],
  plugins: [ownPlaces],
})
await bundle.write({
  dir: folder,
  format: 'cjs',
  entryFileNames: '[name].cjs',
  chunkFileNames: `${PROGRAM}-[name].cjs`,
})
await bundle.close()
chmodSync(join(folder, `${PROGRAM}.cjs`), 0o755)
