/**
 * Line writer: lines to a program at the other end of a socket, which perhaps does not read them.
 * Guarantees: holds at most MAX_UNREAD_BYTES and one line for it; who leaves more is hung, and let go.
 */
import type { Socket } from 'node:net'

/** What a program has not read of ours (bytes): minutes of what a guard says, dozens of a station's answers. */
const MAX_UNREAD_BYTES = 64 * 1024

/** Writes the line, which has its end, unless the connection is over. */
export function writeLine(socket: Socket, line: string): void {
  if (!socket.writable) return
  socket.write(line)
  if (socket.writableLength > MAX_UNREAD_BYTES) socket.destroy()
}
