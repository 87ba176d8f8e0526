/** The same build sent again: by a CI job that never heard the answer, or by one that reuses a number. */
import { HubError } from '../errors.ts'
import { pvFromSemver } from '../gentoo/semver-to-pv.ts'
import { objectId } from '../git/objects.ts'
import type { Hub } from '../hub.ts'
import type { BuildRow } from '../records/builds.ts'
import { parseRecipe } from './recipe.ts'
import type { Upload } from './receive-build.ts'

type Needs = Pick<Hub, 'records' | 'blobs' | 'turns'>

/**
 * The build archived before under the upload's number; undefined when there is none. Only what the upload says is
 * compared: one that names no version asks for none. A blob that was lost meanwhile is put back from the upload.
 * @throws {HubError} `build.duplicate` when the bytes, the version or the recipe differ.
 */
export async function findKnownBuild(hub: Needs, upload: Upload): Promise<BuildRow | undefined> {
  if (upload.build === null) return undefined
  const known = await hub.records.builds.find(upload.app, upload.build)
  if (!known) return undefined
  const differences = differencesOf(upload, known)
  if (differences.length > 0) {
    throw new HubError(
      'build.duplicate',
      `build ${String(known.build)} of ${known.app} was archived at ${known.receivedAt} and never changes ` +
        `(${differences.join('; ')}); send this one with a new build number`,
      { app: known.app, build: known.build, archived: { sha512: known.sha512, version: known.semver } },
    )
  }
  if (!upload.dryRun) await restoreBlob(hub, upload, known)
  return known
}

function differencesOf(upload: Upload, known: BuildRow): readonly string[] {
  const differences: string[] = []
  if (known.sha512 !== upload.received.digests.sha512) differences.push('the bytes differ')
  if (upload.version !== null && !isSameVersion(upload.version, known)) {
    differences.push(`its version is ${known.semver ?? 'none'}`)
  }
  if (!isSameRecipe(upload, known)) differences.push('its recipe is another one')
  return differences
}

function isSameVersion(sent: string, known: BuildRow): boolean {
  if (sent === known.semver) return true
  try {
    return pvFromSemver(sent, known.build).semver === known.semver
  } catch {
    return false
  }
}

function isSameRecipe({ recipeText, ebuildTemplate }: Upload, known: BuildRow): boolean {
  if (ebuildTemplate !== null) return objectId('blob', Buffer.from(ebuildTemplate)) === known.ebuildOid
  return recipeText === null || JSON.stringify(parseRecipe(recipeText)) === known.recipe
}

async function restoreBlob(hub: Needs, upload: Upload, known: BuildRow): Promise<void> {
  await hub.turns.run(`blob:${known.sha512}`, async () => {
    if ((await hub.blobs.sizeBytes(known.sha512)) !== null) return
    await (await hub.blobs.adopt(upload.received.path, known.sha512)).settle()
  })
}
