/** Moment: how a person may name a time in a flight, and what is none. */
import { describe, expect, test } from 'vitest'
import { momentOf } from '../../src/storage/export/selection.js'

describe('a moment', () => {
  test.each([
    ['12.5', 'after start', 12.5],
    ['90', 'after start', 90],
    ['+90', 'after start', 90],
    ['1:05', 'after start', 65],
    ['+1:05', 'after start', 65],
    ['1:05.25', 'after start', 65.25],
    ['90:00', 'after start', 5400],
    ['1:02:05', 'after start', 3725],
    ['-10', 'before end', 10],
    ['-1:05', 'before end', 65],
    ['-1:02:05.5', 'before end', 3725.5],
    ['2023-04-18T11:03:34Z', 'utc', 1_681_815_814],
  ])('%s is %s', (word, kind, seconds) => {
    expect(momentOf(word)).toEqual({ kind, us: seconds * 1e6 })
  })

  test.each([
    '',
    'noon',
    '1:5',
    '1:60',
    '1:60:00',
    '1:2:03',
    ':05',
    '1:',
    '1::05',
    '1:00:00:00',
    '--5',
    '5s',
    '2023-04-18T11:03:34',
  ])('%s is none', (word) => expect(momentOf(word)).toBeUndefined())
})
