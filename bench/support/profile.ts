/** Where a process's time went, from the profiles that `node --cpu-prof` writes when it ends. */
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const SHOWN = 30
const ROOT = join(import.meta.dirname, '../..')

interface Profile {
  readonly nodes: readonly ProfileNode[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

interface ProfileNode {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
}

/** For every profile in the folder the functions, and then the packages, that used most time themselves. */
export async function describeProfiles(folder: string): Promise<string> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.cpuprofile')).sort()
  const texts = files.map(async (name) => {
    const profile = JSON.parse(await readFile(join(folder, name), 'utf8')) as Profile
    const shares = [selfTime(profile, functionOf), '  by package:', selfTime(profile, packageOf)]
    return [join(folder, name), ...shares.flat()].join('\n')
  })
  return (await Promise.all(texts)).join('\n\n')
}

function selfTime({ nodes, samples, timeDeltas }: Profile, nameOf: (node: ProfileNode) => string): string[] {
  const names = new Map(nodes.map((node) => [node.id, nameOf(node)]))
  const used = new Map<string, number>()
  samples.forEach((id, at) => {
    const name = names.get(id) ?? '?'
    used.set(name, (used.get(name) ?? 0) + (timeDeltas[at] ?? 0))
  })
  // Waiting is no use of time.
  used.delete('(idle)')
  const total = [...used.values()].reduce((sum, time) => sum + time, 0)
  return [...used]
    .toSorted((a, b) => b[1] - a[1])
    .slice(0, SHOWN)
    .map(([name, time]) => `  ${((time / total) * 100).toFixed(1).padStart(5)} %  ${name}`)
}

function functionOf({ callFrame: { functionName, url, lineNumber } }: ProfileNode): string {
  if (url === '') return functionName
  const place = url.startsWith('file:') ? fileURLToPath(url).replace(`${ROOT}/`, '') : url
  return `${functionName || '(anonymous)'}  ${place}:${lineNumber + 1}`
}

/** `src/http`, `express`, `node:internal/streams`; what has no address is native: system calls, garbage collection. */
function packageOf({ callFrame: { functionName, url } }: ProfileNode): string {
  if (url === '') return functionName === '(idle)' ? functionName : 'native'
  const path = url.startsWith('file:') ? fileURLToPath(url).replace(`${ROOT}/`, '') : url
  const ofPackage = /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*node_modules)/.exec(path)?.[1]
  return ofPackage ?? path.split('/').slice(0, 2).join('/')
}
