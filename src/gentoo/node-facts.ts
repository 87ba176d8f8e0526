/**
 * What the program on a node must know of an installed build, as one comment line of its ebuild: Portage keeps the ebuild
 * of every installed package (`/var/db/pkg/<category>/<pf>/`), so a node can back up, check and go back when it cannot
 * reach the hub, by the commands of the very build that it runs. A comment: neither bash nor the md5-cache sees it.
 *
 *     # portage-hub: {"v":1,"app":"shop","build":45,"backup":{"commands":["pg_dump …"],"timeoutSec":600}}
 */

/** Commands that run one after the other as root, with `HUB_BACKUP_DIR` set. */
export interface TimedCommands {
  readonly commands: readonly string[]
  /** Of each command. */
  readonly timeoutSec: number
}

/** Keys that a recipe does not give are left out. */
export interface NodeFacts {
  readonly app: string
  readonly build: number
  /** `reversibleFrom`: the oldest schema to which one may go back from this one. */
  readonly schema?: { readonly version: number; readonly reversibleFrom: number }
  /** `expect`: files that the commands must have written into `HUB_BACKUP_DIR`. */
  readonly backup?: TimedCommands & { readonly expect: readonly string[] }
  /** `probe`: a command that tells what was written since the dump. */
  readonly restore?: TimedCommands & { readonly probe?: string }
  /** Restores a dump into a scratch database. */
  readonly rehearse?: TimedCommands
  readonly migrate?: TimedCommands
  readonly health?: { readonly command: string; readonly timeoutSec: number }
  /** The name under which OpenRC and systemd know it. */
  readonly service?: string
}

/** The line without its end; null if there is nothing that a node would do. */
export function renderNodeFacts({ app, build, ...rest }: NodeFacts): string | null {
  if (Object.keys(rest).length === 0) return null
  return `# portage-hub: ${asciiJson({ v: 1, app, build, ...rest })}`
}

/** Nothing that a reviewer or a terminal could take for something else: other characters are written by their numbers. */
function asciiJson(value: object): string {
  return JSON.stringify(value).replace(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
