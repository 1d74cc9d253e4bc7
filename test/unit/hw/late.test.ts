/** What the resident did not answer in time: done by others, and never by many at once. */
import { expect, it } from 'vitest'
import { Late } from '../../../src/hw/door/late.js'

const NEVER = new Promise<null>(() => {})

/** Runs end when told; `bad;` fails whatever it is part of. */
function runs() {
  const texts: string[] = []
  const endings: (() => void)[] = []
  const late = new Late((text) => {
    texts.push(text)
    return new Promise((resolve) => {
      endings.push(() => resolve(text.includes('bad;') ? 'nft: bad' : null))
    })
  })
  const endAll = async () => {
    while (endings.length > 0) {
      expect(endings).toHaveLength(1)
      endings.shift()!()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return { late, texts, endAll }
}

it('what comes while one runs goes together in the next, each text once', async () => {
  const { late, texts, endAll } = runs()
  const all = ['a;', 'b;', 'c;', 'b;'].map((text) => late.do(text, NEVER))
  await endAll()
  expect(await Promise.all(all)).toEqual([null, null, null, null])
  expect(texts).toEqual(['a;', 'b;c;'])
})

it('where they fail together each has its turn alone, and its own answer', async () => {
  const { late, texts, endAll } = runs()
  const all = ['a;', 'b;', 'bad;', 'c;'].map((text) => late.do(text, NEVER))
  await endAll()
  expect(await Promise.all(all)).toEqual([null, null, 'nft: bad', null])
  expect(texts).toEqual(['a;', 'b;bad;c;', 'b;', 'bad;', 'c;'])
})

it('what the resident has done meanwhile is not done again, what it refused is', async () => {
  const { late, texts, endAll } = runs()
  const first = late.do('a;', NEVER)
  const done = late.do('b;', Promise.resolve(null))
  const refused = late.do('c;', Promise.resolve('nft: no such set'))
  expect(await done).toBeNull()
  await endAll()
  expect([await first, await refused]).toEqual([null, null])
  expect(texts).toEqual(['a;', 'c;'])
})
