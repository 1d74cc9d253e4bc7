/**
 * Flight reader: one flight of a vault, read only, also while it is being recorded.
 *
 *     tails (what is newest) ──▶ file: what is known of the flight, its segments
 *                                  └──▶ segment.records(), segment.groups(…)    read when asked for
 */
import { existsSync, statSync } from 'node:fs'
import { loadDialect } from '../mavlink/dialect.js'
import { UtcClock } from './clock-anchors.js'
import { damagedFault, newerFault, notAFlightFault, readingFault } from './flight-fault.js'
import { findFlight } from './flight-lookup.js'
import { StoredSegment, TailSegment } from './flight-segment.js'
import type { FlightSegment, GroupFilter, GroupPlace } from './flight-segment.js'
import { loadFlight } from './flight-tables.js'
import type { FlightTables } from './flight-tables.js'
import type { ClockAnchor, FlightEvent, FlightHead, FlightSource, Gap } from './flight-writer.js'
import { APPLICATION_ID, FORMAT_VERSION } from './schema.js'
import { Sqlite } from './sqlite.js'
import { snapshotTails, tailPartOf } from './tail-reader.js'
import type { TailPart, TailSnapshot } from './tail-reader.js'
import { Tally } from './tally.js'
import type { ComponentCounts, Figures } from './tally.js'
import type { Vault } from './vault.js'
