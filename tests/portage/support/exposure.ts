/** Where a secret can be read on a host: in files, and in arguments and variables of programs that were started. */
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import type { GentooNode } from './gentoo-node.ts'

/** Speak with the hub, and Portage. */
const SPEAKERS = ['git', 'curl', 'wget', 'gpg', 'python3'] as const
/** What enroll.sh does its work by besides. The phases of ebuilds start thousands of these. */
const TOOLS = [
  'sh',
  'env',
  'cat',
  'cp',
  'mv',
  'chmod',
  'chown',
  'head',
  'od',
  'tr',
  'grep',
  'awk',
  'sync',
] as const
const RECORD = '/var/lib/exposure'
const NOTES = ['arguments', 'variables', 'git'] as const

/**
 * Notes what it is given and becomes the real program: no luck is needed to see a process that lives for a moment. It is of
 * bash's own commands alone, some of which would start a watched program otherwise. Git says itself what it starts.
 */
function watcherOf(name: string): string {
  return `#!/bin/bash -p
printf '%s\\n' "${name} $*" >> ${RECORD}/arguments
export -p >> ${RECORD}/variables
${name === 'git' ? `export GIT_TRACE=${RECORD}/git` : ''}
exec "$(PATH=/usr/sbin:/usr/bin:/sbin:/bin; type -P ${name})" "$@"
`
}

/** What programs were given since `watchPrograms`. */
export interface Started {
  /** Name and arguments of each, a line each. */
  readonly arguments: string
  /** As the shell exports them. */
  readonly variables: string
  /** Git's own account of the programs that it started. */
  readonly git: string
}

export interface Watch {
  read(): Promise<Started>
  /** From now on only those that speak with the hub, and Portage. */
  leaveTools(): Promise<void>
}

/** Puts a program that notes how it is called in the place of each that the hub's programs and Portage use. */
export async function watchPrograms(node: GentooNode): Promise<Watch> {
  for (const name of [...SPEAKERS, ...TOOLS])
    await node.write(`usr/local/bin/${name}`, watcherOf(name), 0o755)
  for (const name of NOTES) await node.write(`${RECORD.slice(1)}/${name}`, '')
  // Portage starts some of them as the user nobody.
  await node.bash('chmod 666 "$1"/*', RECORD)
  return {
    async read() {
      const [args = '', variables = '', git = ''] = await Promise.all(
        NOTES.map(async (name) => await node.read(`${RECORD.slice(1)}/${name}`)),
      )
      return { arguments: args, variables, git }
    },
    async leaveTools() {
      await node.bash('cd /usr/local/bin && rm "$@"', ...TOOLS)
    },
  }
}

/**
 * Every file of the host's own in which a secret stands, and every name and link: `/etc/x 640 0 0`, with its mode and its
 * owner, and behind `!` where in what is packed. Sorted.
 */
export function findSecret(node: GentooNode, forms: readonly string[]): readonly string[] {
  const program = resolve(import.meta.dirname, 'find-secret.py')
  const options = { input: forms.join('\n'), encoding: 'utf8', maxBuffer: 1 << 26 } as const
  const { status, stdout, stderr } = spawnSync('python3', ['-B', program, node.path('')], options)
  if (status !== 0) throw new Error(`${program} ended with ${String(status)}: ${stderr}`)
  return stdout.split('\n').filter(Boolean).toSorted()
}

/** How a token stands in what is written and sent: as it is, and in the password of HTTP Basic, whatever stands before it. */
export function formsOf(token: string): readonly string[] {
  const inBasic = [0, 1, 2].map((before) => {
    const encoded = Buffer.from(`${'x'.repeat(before)}${token}`).toString('base64')
    // The outermost digits are of the bytes beside it too.
    return encoded.slice(before === 0 ? 0 : 4, -4)
  })
  return [token, ...inBasic]
}
