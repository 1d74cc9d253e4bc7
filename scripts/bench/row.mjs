/**
 * Row: one line of the result: ours, the reference, their ratio over several rounds, and whether it reaches its goal.
 *
 *     { name, what, unit, ours, reference, ratio, goal, met, spread: { min, max }, samples, better, clock, note }
 *
 * `ours`, `reference` and `ratio` are medians over the rounds; `reference` and `ratio` are null where nothing is compared.
 * `goal` is { of: 'ratio' | 'ours', atLeast | atMost }, or null. `spread` is that of what the goal is about: ratios
 * of one round each, so it is the machine's noise. `clock`: whether time was measured.
 */

/**
 * Makes a row. `samples`: a round each, { ours, reference? }, measured one right after the other.
 * `given`: name, what, unit, and optionally goal, better ('higher' unless told), clock (true unless told), note.
 */
export function rowOf({ samples, goal, better = 'higher', clock = true, note = '', ...given }) {
  const compared = samples.every(({ reference }) => reference !== undefined)
  const ratios = compared ? samples.map(({ ours, reference }) => ours / reference) : []
  const ours = samples.map((sample) => sample.ours)
  const judged = compared && goal?.of !== 'ours' ? ratios : ours
  const value = median(judged)
  return {
    ...given,
    ours: median(ours),
    reference: compared ? median(samples.map(({ reference }) => reference)) : null,
    ratio: compared ? median(ratios) : null,
    goal: goal ?? null,
    met: goal ? reaches(value, goal) : null,
    spread: { min: Math.min(...judged), max: Math.max(...judged) },
    samples: samples.length,
    better,
    clock,
    note,
  }
}

/** What of a row its goal and its spread are about. */
export function judgedOf({ ratio, ours, goal }) {
  return ratio === null || goal?.of === 'ours' ? ours : ratio
}

function reaches(value, { atLeast = -Infinity, atMost = Infinity }) {
  return value >= atLeast && value <= atMost
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
