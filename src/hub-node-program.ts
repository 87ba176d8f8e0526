/** The program of nodes, `node/hub-node` of this checkout, which the hub publishes in each overlay. */
import { readFileSync } from 'node:fs'

/** Its bytes; null where it is not there. */
export function readHubNodeProgram(): Buffer | null {
  try {
    return readFileSync(new URL('../node/hub-node', import.meta.url))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}
