/** Exit codes: what a script learns from how a command ended. Listed in docs/faults.md too. */

export const EXIT_CODE = {
  ok: 0,
  /** A `Fault`, printed on stderr. */
  fault: 1,
  /** The command line was not understood. */
  usage: 2,
  /** The command did its work, and what it checked is bad. */
  bad: 3,
  /** Ctrl-C: 128 + SIGINT, as shells have it. */
  interrupted: 130,
  /** SIGTERM: 128 + 15, where that is not how the command is meant to end. */
  terminated: 143,
} as const

export const EXIT_CODES_TEXT = `Exit codes: 0 done; 1 a fault (GL-… on stderr); 2 the command line was not understood;
3 what was checked is bad; 130 ended by Ctrl-C; 143 ended by SIGTERM.`
