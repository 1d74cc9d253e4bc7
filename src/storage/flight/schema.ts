/**
 * Schema: the tables of a flight file. Specified in docs/flight-file.md, "Tables".
 */

/** 'GLK1': tells `file`, and us, that a SQLite file is a flight. */
export const APPLICATION_ID = 0x474c4b31

/** Version of tables and encodings; a reader refuses a higher one. */
export const FORMAT_VERSION = 1

/**
 * SQLite's page (bytes). Pieces have any length and end somewhere in a page: small pages waste little
 * (512: about 1 % of a recording, 1024: 1.5 %, 4096: 3 to 5 %), and sealed or not, nobody updates a row in place.
 */
export const PAGE_BYTES = 512

export const SCHEMA = `
CREATE TABLE flight (
  id TEXT NOT NULL PRIMARY KEY,
  station TEXT NOT NULL,
  boot_id TEXT NOT NULL,
  origin TEXT NOT NULL CHECK (origin IN ('live', 'import')),
  previous_part TEXT,
  links TEXT NOT NULL,
  opened_us INTEGER,
  closed_us INTEGER,
  close_reason TEXT,
  source_name TEXT,
  source_format TEXT,
  source_bytes INTEGER,
  source_sha256 TEXT,
  bytes_in INTEGER NOT NULL DEFAULT 0,
  bytes_lost INTEGER NOT NULL DEFAULT 0,
  redactions INTEGER NOT NULL DEFAULT 0,
  damaged_runs INTEGER NOT NULL DEFAULT 0,
  damaged_bytes INTEGER NOT NULL DEFAULT 0,
  segments INTEGER NOT NULL DEFAULT 0,
  components INTEGER NOT NULL DEFAULT 0,
  crc_mismatches INTEGER NOT NULL DEFAULT 0,
  gaps INTEGER NOT NULL DEFAULT 0,
  events INTEGER NOT NULL DEFAULT 0,
  clock_anchors INTEGER NOT NULL DEFAULT 0,
  crc32 INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE segment (
  id INTEGER NOT NULL PRIMARY KEY,
  first_chunk INTEGER NOT NULL,
  last_chunk INTEGER NOT NULL,
  first_us INTEGER,
  last_us INTEGER,
  records INTEGER NOT NULL,
  frames INTEGER NOT NULL,
  framed_bytes INTEGER NOT NULL,
  noise_bytes INTEGER NOT NULL,
  first_piece INTEGER NOT NULL,
  sha256 BLOB NOT NULL,
  groups_crc32 INTEGER NOT NULL,
  crc32 INTEGER NOT NULL
) STRICT;
CREATE TABLE piece (
  id INTEGER NOT NULL PRIMARY KEY,
  segment INTEGER NOT NULL,
  kind TEXT NOT NULL CHECK (kind IN ('order', 'noise', 'frames')),
  raw_bytes INTEGER NOT NULL,
  crc32 INTEGER NOT NULL,
  body BLOB NOT NULL
) STRICT;
CREATE TABLE message_group (
  msgid INTEGER NOT NULL,
  segment INTEGER NOT NULL,
  number INTEGER NOT NULL,
  link INTEGER NOT NULL,
  sysid INTEGER NOT NULL,
  compid INTEGER NOT NULL,
  count INTEGER NOT NULL,
  piece INTEGER NOT NULL,
  offset INTEGER NOT NULL,
  PRIMARY KEY (msgid, segment, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE component (
  link INTEGER NOT NULL,
  sysid INTEGER NOT NULL,
  compid INTEGER NOT NULL,
  frames INTEGER NOT NULL,
  lost INTEGER NOT NULL,
  duplicates INTEGER NOT NULL,
  reordered INTEGER NOT NULL,
  restarts INTEGER NOT NULL,
  crc32 INTEGER NOT NULL,
  PRIMARY KEY (link, sysid, compid)
) STRICT, WITHOUT ROWID;
CREATE TABLE crc_mismatch (
  msgid INTEGER NOT NULL PRIMARY KEY,
  count INTEGER NOT NULL,
  crc32 INTEGER NOT NULL
) STRICT;
CREATE TABLE gap (
  id INTEGER NOT NULL PRIMARY KEY,
  link INTEGER,
  from_us INTEGER NOT NULL,
  to_us INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  reason TEXT NOT NULL,
  crc32 INTEGER NOT NULL
) STRICT;
CREATE TABLE event (
  id INTEGER NOT NULL PRIMARY KEY,
  recv_us INTEGER NOT NULL,
  kind TEXT NOT NULL,
  detail TEXT NOT NULL,
  crc32 INTEGER NOT NULL
) STRICT;
CREATE TABLE clock_anchor (
  id INTEGER NOT NULL PRIMARY KEY,
  recv_us INTEGER NOT NULL,
  utc_us INTEGER NOT NULL,
  source TEXT NOT NULL,
  crc32 INTEGER NOT NULL
) STRICT;
`

export interface SchemaColumn {
  name: string
  type: 'INTEGER' | 'TEXT' | 'BLOB'
}

/** The columns of each table, as the schema has them. */
export const COLUMNS: ReadonlyMap<string, readonly SchemaColumn[]> = new Map(
  [...SCHEMA.matchAll(/CREATE TABLE (\w+) \(\n(.*?)\n\) STRICT/gs)].map(([, table, lines]) => [
    table!,
    [...lines!.matchAll(/^ {2}([a-z_0-9]+) (INTEGER|TEXT|BLOB)\b/gm)].map(([, name, type]) => ({
      name: name!,
      type: type === 'TEXT' || type === 'BLOB' ? type : 'INTEGER',
    })),
  ]),
)
