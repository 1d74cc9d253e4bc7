/**
 * SQLite: the one place that knows the sqlite3 package; calls are awaited one by one, so at most one is in flight.
 * Guarantees: a value that the package would change silently (a bigint, NaN, a number beyond 2^53) never gets through.
 */
import type sqlite3 from 'sqlite3'

export type SqlValue = string | number | Uint8Array | null
export type SqlRow = Record<string, SqlValue>

/** How a file is opened: read only, read and write, or made if it is not there. */
export type OpenMode = 'read' | 'write' | 'create'

/** Rows in one INSERT (rows): 500 of 10 values stay far below SQLite's 32,766 variables a statement. */
const ROWS_AT_ONCE = 500

export class Sqlite {
  readonly #db: sqlite3.Database

  private constructor(db: sqlite3.Database) {
    this.#db = db
  }

  static async open(path: string, mode: OpenMode): Promise<Sqlite> {
    const { default: module } = await import('sqlite3')
    const flags = {
      read: module.OPEN_READONLY,
      write: module.OPEN_READWRITE,
      create: module.OPEN_READWRITE | module.OPEN_CREATE,
    }[mode]
    return new Promise((resolve, reject) => {
      const db = new module.Database(path, flags, (error) =>
        error ? reject(error) : resolve(new Sqlite(db)),
      )
    })
  }

  /** Runs one statement with its values. */
  run(sql: string, values: readonly SqlValue[] = []): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#db.run(sql, values.map(checked), (error: Error | null) => (error ? reject(error) : resolve()))
    })
  }

  /** Runs several statements, separated by semicolons, without values. */
  script(sql: string): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#db.exec(sql, (error) => (error ? reject(error) : resolve())),
    )
  }

  /** Runs an INSERT that ends with one row of `?` for all rows, many at a time: a statement a row costs ten times as much. */
  async insertAll(insert: string, rows: readonly (readonly SqlValue[])[]): Promise<void> {
    const marks = insert.slice(insert.lastIndexOf('('))
    for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
      const some = rows.slice(at, at + ROWS_AT_ONCE)
      await this.run(insert + `, ${marks}`.repeat(some.length - 1), some.flat())
    }
  }

  all(sql: string, values: readonly SqlValue[] = []): Promise<SqlRow[]> {
    return new Promise((resolve, reject) => {
      this.#db.all<SqlRow>(sql, values.map(checked), (error, rows) => (error ? reject(error) : resolve(rows)))
    })
  }

  /** Runs `work` in a transaction: all of it or nothing. */
  async transaction(work: () => Promise<void>): Promise<void> {
    await this.run('BEGIN IMMEDIATE')
    try {
      await work()
      await this.run('COMMIT')
    } catch (error) {
      await this.run('ROLLBACK').catch(() => {})
      throw error
    }
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) => this.#db.close((error) => (error ? reject(error) : resolve())))
  }
}

/** sqlite3 stores a bigint and NaN as NULL and rounds beyond 2^53, all silently: an assert instead. */
function checked(value: SqlValue): SqlValue {
  if (typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))) {
    throw new TypeError(`SQLite cannot take ${String(value)}`)
  }
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new TypeError(`SQLite would round ${value}`)
  }
  return value
}
