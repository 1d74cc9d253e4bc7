/**
 * A process that holds a link token, or tries to: `token-holder.mjs PATH [child]` says 'mine' or 'refused' and why on a line, and lives
 * on. With `child` it gives the descriptor to a child of its own and says the child's process id as well.
 */
import { spawn } from 'node:child_process'
import { LinkToken } from '../../dist/hw/token/link-token.js'

const [path, ...withChild] = process.argv.slice(2)
const token = new LinkToken(path)
const isMine = await token.take()
let heir
if (isMine && withChild.length > 0) {
  // Outlives us, but not for long: a test that is killed must leave nothing behind.
  heir = spawn('sleep', ['20'], { stdio: ['ignore', 'ignore', 'ignore', token.fd] })
}
process.stdout.write(`${isMine ? 'mine' : 'refused'} ${heir?.pid ?? token.fault?.found ?? ''}\n`)
process.stdin.on('end', () => process.exit()).resume()
