/** Makes each environment's mirror folder show what its releases name: after a crash, or when the folder was lost. */
import type { Hub } from '../hub.ts'

type Needs = Pick<Hub, 'records' | 'blobs' | 'config'>

export async function reconcileMirrors(hub: Needs): Promise<void> {
  for (const { name } of hub.config.environments) await reconcileMirror(hub, name)
}

async function reconcileMirror(hub: Needs, environment: string): Promise<void> {
  const wanted = new Map(
    (await hub.records.releases.distfiles(environment)).map((file) => [file.distfileName, file]),
  )
  const present = new Set(await hub.blobs.mirrored(environment))
  for (const { distfileName, sha512 } of wanted.values()) {
    if (!present.has(distfileName)) await hub.blobs.linkIntoMirror(environment, distfileName, sha512)
  }
  for (const name of present) {
    if (!wanted.has(name) && !name.startsWith('.git')) await hub.blobs.unlinkFromMirror(environment, name)
  }
}
