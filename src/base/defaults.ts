/**
 * Defaults: settings that commands need which read no configuration.
 * A file of their own, so that listing flights does not wait for the validation of configurations to be loaded.
 */

/** `[vault] dir` where nobody says otherwise. */
export const DEFAULT_VAULT_DIR = '/var/lib/groundlock/vault'

/** `[station] name` where nobody says otherwise. */
export const DEFAULT_STATION = 'groundlock'
