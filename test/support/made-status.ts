/** Made status: what a guard and a station might say of themselves, as of now on this machine's clock. */
import { bootId, monotonicUs } from '../../src/base/clock.js'
import type { GuardStatus } from '../../src/base/guard-status.js'
import type { StationStatus } from '../../src/forward/station-status.js'

/** A guard that keeps one uplink shut; written by this process. */
export function madeGuardStatus(parts: Partial<GuardStatus> = {}): GuardStatus {
  const nowUs = monotonicUs()
  return {
    v: 1,
    pid: process.pid,
    bootId: bootId(),
    nowUs,
    startedUs: nowUs - 3_725_000_000,
    door: 'blocked',
    reason: 'the switch is SHUT',
    sinceUs: nowUs - 252_000_000,
    row: 'shut',
    phase: 'blocked',
    switch: {
      backend: 'chardev',
      position: 'shut',
      reason: 'the switch is SHUT',
      shutSeen: true,
      contacts: { permit: 'open', shut: 'closed' },
      sinceMs: Math.round(nowUs / 1000) - 252_000,
    },
    station: { state: 'present', link: 'open', vehicle: 'armed' },
    nonsense: { lines: 0, unasked: 0 },
    token: 'other',
    reading: {
      kernel: 'shut',
      isRead: true,
      problems: [],
      uplinks: [{ ifindex: 2, name: 'eth0', isUp: false, isCovered: true, isLeased: false }],
      locals: [{ name: 'eth1', isThere: true, mismatch: null }],
      layers: { base: true, netdev: true, twin: true, linkDown: true, rfkill: null },
    },
    witness: { state: 'still', growth: [] },
    canary: 'dropped',
    events: [{ atUs: nowUs - 252_000_000, text: 'blocked: the switch is SHUT' }],
    ...parts,
  }
}

/** A station that records; written by this process. */
export function madeStationStatus(parts: Partial<StationStatus> = {}): StationStatus {
  const nowUs = monotonicUs()
  return {
    pid: process.pid,
    station: 'north-1',
    bootId: bootId(),
    nowUs,
    startedUs: nowUs - 60_000_000,
    ended: false,
    recovered: true,
    flight: 'north-1-5f3a-1a2b3c4d-7',
    stored: {
      flight: 'north-1-5f3a-1a2b3c4d-7',
      sequence: 1234,
      bytes: 4_200_000,
      flushMs: 12,
      slowFlushes: 0,
    },
    backlogBytes: 0,
    guard: 'present',
    guardNonsense: 0,
    door: { state: 'blocked', reason: 'the switch is SHUT' },
    token: 'mine',
    waitingFor: null,
    links: [
      {
        name: 'radio',
        device: '/dev/ttyUSB0',
        state: 'open',
        fault: null,
        bytesIn: 4_300_000,
        frames: 123_456,
        framedBytes: 4_200_000,
        noiseBytes: 2_000,
        lostBytes: 0,
        outsideBytes: 98_000,
        heldBytes: 0,
      },
    ],
    ...parts,
  }
}
