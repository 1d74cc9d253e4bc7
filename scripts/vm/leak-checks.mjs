/**
 * Leak checks: the tests of the door and of what leaves it, the very files of `test/`, on the guest's kernel and with its nft.
 * So rows that the kernel of this machine cannot make are run, and the old way of binding an egress drop (before Linux 6.16).
 * Each in its short form, with the tables of the long one. They run on the checkout with a layer of memory over it.
 */

/** Nobody else may have the simulated radios. */
const PREPARE = `
  systemctl stop NetworkManager wpa_supplicant ModemManager 2>/dev/null
  set -e
  modprobe mac80211_hwsim radios=2
  mount -t tmpfs layer /mnt && mkdir /mnt/upper /mnt/work /leaks
  mount -t overlay layer -o lowerdir=/checkout,upperdir=/mnt/upper,workdir=/mnt/work /leaks
  uname -r; nft --version; node --version`

const FILES = [
  ['nothing leaves over VLANs, bonds, macvlans, ipvlans and WireGuard', 'test/fault/leak-kinds.test.ts'],
  ['nothing leaves over Wi-Fi, and its radio is off', 'test/fault/leak-wifi.test.ts'],
  ['nothing leaves a shut door, of any kind of traffic, whoever dies', 'test/fault/leak-contact.test.ts'],
  ['nothing leaves a door that is opened and shut again and again', 'test/fault/leaks.test.ts'],
  ['nothing leaves while devices and rules come and go', 'test/fault/leak-events.test.ts'],
  ['the door does what it says', 'test/fault/door.test.ts test/fault/door-locals.test.ts test/unit/hw'],
]

/** Of what is done again and again (count). */
const AMOUNT = 3
/** Longest that the tests of one line may take (s of the guest). */
const MOST_S = 1500
/** One wait for them (s of the guest); a command of the agent ends after 600. */
const WAIT_S = 60

/** The agent's commands are short: it runs by itself, and is waited for. */
const start = (files) => `
  rm -f /run/leaks.*; cd /leaks
  export NO_COLOR=1 GROUNDLOCK_SOAK=long GROUNDLOCK_AMOUNT=${AMOUNT}
  run='timeout ${MOST_S} node_modules/.bin/vitest run --disableConsoleIntercept --no-file-parallelism'
  setsid sh -c "$run --hookTimeout 300000 --testTimeout 300000 ${files} >/run/leaks.out 2>&1; touch /run/leaks.ended" \\
    </dev/null >/dev/null 2>&1 &`
const WAIT = `timeout ${WAIT_S} sh -c 'until [ -e /run/leaks.ended ]; do sleep 1; done'`

/** Rows that are not run here would show nothing: their files have to run whole. */
const TALLY = /^(\d+) tests ran in networks of their own\n(\d+) passed, (\d+) failed, (\d+) skipped$/m
/** Of what vitest prints only this is for a person: our tables. */
const isOurs = (line) =>
  / {2}(shut|\d+ \/ \d+)|: not run,|sent \/ arrived|^(raw|last|from|nft) |cycles:/.test(line)

export async function leakChecks(guest, report) {
  report.note((await guest.must(PREPARE)).replaceAll('\n', ', '))
  for (const [what, files] of FILES) {
    await guest.must(start(files))
    for (let waitedS = 0; waitedS < MOST_S + WAIT_S; waitedS += WAIT_S) {
      if ((await guest.run(WAIT)).status === 0) break
    }
    const { out } = await guest.run('cat /run/leaks.out')
    const [tally = out, ran, , failed, skipped] = TALLY.exec(out) ?? []
    for (const line of out.split('\n').filter(isOurs)) report.note(line)
    const isRight = Number(ran) > 0 && Number(failed) === 0 && Number(skipped) === 0
    report.check(what, isRight, isRight ? tally.replace('\n', ', ') : out)
  }
}
