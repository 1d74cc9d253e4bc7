/** Tool environment: what the tools are started with whose words are read: they answer in English, whatever the machine speaks. */

/** As this process's is now. */
export function toolEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, LC_ALL: 'C' }
}
