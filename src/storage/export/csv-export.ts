/**
 * CSV export: a folder with one file a message type, units in the header.
 *
 *     recv_time_us,utc,link,sysid,compid,time_boot_ms [ms],lat [degE7],…
 *
 * utc is ISO 8601 with microseconds, empty where UTC is not known. 64-bit integers are exact. Floats have the shortest
 * text that reads back to the same float; NaN, Infinity and -Infinity are these words.
 */
import { loadDialect } from '../../mavlink/dialect.js'
import type { MessageGroup } from '../segment/message-group.js'
import { CsvTable } from './csv-table.js'
import { refuseNothing, segmentsOf } from './export.js'
import type { ExportOptions, Exported } from './export.js'
import { OutputFolder } from './output.js'

/** Makes the folder `path`. Reads only what holds the selected messages. */
export async function exportCsv(options: ExportOptions): Promise<Exported> {
  const { flight, selection, path, force } = options
  const { msgids, link } = selection
  const dialect = loadDialect()
  const output = new OutputFolder(path, force)
  const tables = new Map<number, CsvTable>()
  const tableOf = (msgid: number): CsvTable => {
    let table = tables.get(msgid)
    if (table === undefined) {
      const layout = dialect.byId.get(msgid)
      const file = output.create(`${messageName(msgid)}.csv`)
      tables.set(msgid, (table = new CsvTable(file, layout, flight.clock, flight.info.links)))
    }
    return table
  }
  const filter = {
    ...(msgids === undefined ? {} : { msgids }),
    ...(link === undefined ? {} : { link }),
    rowBytes: (msgid: number) => dialect.byId.get(msgid)?.length ?? 0,
  }
  try {
    // What was asked for by name has a file, also where the span of time leaves rows of the others only.
    msgids?.forEach(tableOf)
    for await (const groups of segmentsOf(options, (segment) => segment.groups(filter))) {
      for (const [msgid, own] of byMessage(groups)) tableOf(msgid).add(own, selection)
    }
    for (const table of tables.values()) table.flush()
    refuseNothing(
      options,
      [...tables.values()].reduce((rows, table) => rows + table.rows, 0),
    )
    return { files: output.commit(), notes: [] }
  } catch (error) {
    output.discard()
    throw error
  }
}

/** The message's name; that of one which no definition knows is made of its id. */
export function messageName(msgid: number): string {
  return loadDialect().byId.get(msgid)?.name ?? `UNKNOWN_${msgid}`
}

function byMessage(groups: readonly MessageGroup[]): Map<number, MessageGroup[]> {
  const messages = new Map<number, MessageGroup[]>()
  for (const group of groups) {
    const own = messages.get(group.key.msgid)
    if (own === undefined) messages.set(group.key.msgid, [group])
    else own.push(group)
  }
  return messages
}
