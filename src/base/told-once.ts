/** Told once: a trouble is told when it begins or becomes another one, not each time that it is met. */

/** Of what is returned, each call says how it is now; '' that nothing is wrong. */
export function toldOnce(tell: (trouble: string) => void): (trouble: string) => void {
  let told = ''
  return (trouble) => {
    if (trouble !== '' && trouble !== told) tell(trouble)
    told = trouble
  }
}
