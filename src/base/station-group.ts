/**
 * Station group: who is in `groundlock` may read what the installed station writes, and ask it. An ordinary user is not in it, so
 * what a command may not look at has this beside it.
 */

export const JOIN_STATION_GROUP = 'sudo usermod -aG groundlock "$USER", then log in again'
