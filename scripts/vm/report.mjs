/** Report: what was checked in the virtual machine, a line each, and how much of it was right. */
export class Report {
  passed = 0
  failed = 0
  notRun = 0

  part(title) {
    console.log(`\n${title}`)
  }

  note(text) {
    console.log(`    ${text}`)
  }

  /** One check: `isRight`, or what was found instead. */
  check(what, isRight, found = '') {
    if (!isRight) return this.fail(what, found)
    this.passed++
    console.log(`  ok  ${what}${found === '' ? '' : `: ${found.split('\n', 1)[0]}`}`)
  }

  fail(what, found) {
    this.failed++
    console.log(`FAIL  ${what}\n${String(found).replace(/^/gm, '        ')}`)
  }

  /** What could not be tried, and why. */
  skip(what, why) {
    this.notRun++
    console.log(`   -  not run: ${what}: ${why}`)
  }

  summary() {
    return `\n${this.passed} right, ${this.failed} wrong, ${this.notRun} not run`
  }
}
