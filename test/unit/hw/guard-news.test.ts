/** What the station's log says of the guard: each change of the door, and each absence once. */
import { expect, it } from 'vitest'
import { GuardNews } from '../../../src/hw/token/guard-news.js'

const ABSENT = 'warn: the guard is absent: no uplink is opened, and nothing watches that they stay shut'
const SHUT = { state: 'blocked', reason: 'the switch is SHUT' } as const

function newsFrom(nowMs: number) {
  const said: string[] = []
  const log = {
    info: (text: string) => void said.push(text),
    warn: (text: string) => void said.push(`warn: ${text}`),
    error: (text: string) => void said.push(`error: ${text}`),
  }
  return { news: new GuardNews(log, nowMs), said }
}

it('a guard that starts with the station has 5 s to come, then it is missed, once', () => {
  const { news, said } = newsFrom(1000)
  news.tellAbsence(5999)
  expect(said).toEqual([])
  news.tellAbsence(6000)
  news.tellAbsence(60_000)
  news.heard('absent', null, 70_000)
  expect(said).toEqual([ABSENT])
})

it('a guard that was there is missed at once when it goes, each time', () => {
  const { news, said } = newsFrom(1000)
  news.heard('present', null, 1500)
  news.tellAbsence(90_000)
  expect(said).toEqual([])
  news.heard('absent', null, 90_001)
  expect(said).toEqual([ABSENT])
  news.heard('present', null, 91_000)
  news.heard('absent', null, 92_000)
  expect(said).toEqual([ABSENT, ABSENT])
})

it('an absence that began before anything was heard is not cut short by hearing of it', () => {
  const { news, said } = newsFrom(1000)
  news.heard('absent', null, 2000)
  expect(said).toEqual([])
  news.tellAbsence(6000)
  expect(said).toEqual([ABSENT])
})

it('a door is told when it changes, not when only its reason does, and anew from a guard that came back', () => {
  const { news, said } = newsFrom(0)
  news.heard('present', SHUT, 1)
  news.heard('present', { ...SHUT, reason: 'the vehicle is armed' }, 2)
  news.heard('present', null, 3)
  news.heard('present', { state: 'permitted', reason: 'PERMIT' }, 4)
  expect(said).toEqual(['the guard: blocked: the switch is SHUT', 'the guard: permitted: PERMIT'])
  news.heard('absent', null, 5)
  news.heard('present', { state: 'permitted', reason: 'PERMIT' }, 6)
  expect(said.slice(2)).toEqual([ABSENT, 'the guard: permitted: PERMIT'])
})
