/**
 * Finding: something of a flight that is not as it was written, and where.
 */

/** The part of the flight that is concerned. */
export type Part = 'header' | 'structure' | 'table' | 'segment' | 'piece' | 'counts'

export interface Finding {
  part: Part
  /** Which: the table's name, the segment's or the piece's number. */
  subject: string
  problem: string
}

/** Takes a finding. */
export type Note = (part: Part, subject: string | number, problem: string) => void

export function findingText({ part, subject, problem }: Finding): string {
  return `${subject === '' ? part : `${part} ${subject}`}: ${problem}`
}
