/**
 * `/binhost/nodes/<node>/`: a node's own packages as Portage's binhosts are. An unchanged index is told by its TIMESTAMP,
 * which Last-Modified repeats. Source: Portage lib/portage/dbapi/bintree.py `_populate_remote`.
 */
import { HubError } from '../errors.ts'
import type { Hub } from '../hub.ts'
import { demandFor } from './auth.ts'
import type { Door } from './node-door.ts'
import { BlobSender } from './send-blob.ts'
import type { Visit } from './visit.ts'

export function binhostDoor(hub: Hub): Door {
  // A server in front has no way to these files.
  const config = { ...hub.config, accelRedirect: null }
  const blobs = new BlobSender({ blobs: hub.binpkgBlobs, config })
  return async (visit) => {
    const { method } = visit.request
    const [, kind, node = '', ...rest] = visit.segments
    if (kind !== 'nodes' || rest.length === 0 || (method !== 'GET' && method !== 'HEAD')) return false
    demandFor(visit.principal, { to: 'act as node', node })
    const path = rest.join('/')
    if (path === 'Packages' || path === 'Packages.gz') await sendIndex(hub, visit, node, path)
    else await sendPackage(hub, blobs, visit, { node, path })
    return true
  }
}

/** The packed file is a file of its own: with a Content-Encoding it would be unpacked twice. */
async function sendIndex(hub: Hub, visit: Visit, node: string, file: string): Promise<void> {
  const { timestampSec, packages, packagesGz } = await hub.binhosts.published(node)
  const isPacked = file === 'Packages.gz'
  const validators = {
    etag: `"${file}-${String(timestampSec)}"`,
    'last-modified': new Date(timestampSec * 1000).toUTCString(),
  }
  const headers = {
    ETag: validators.etag,
    'Last-Modified': validators['last-modified'],
    'Cache-Control': `${visit.cacheScope}, no-cache`,
    'Content-Type': isPacked ? 'application/gzip' : 'text/plain; charset=utf-8',
  }
  if (visit.isFresh(validators)) visit.answerUnchanged(headers)
  else visit.answer(200, headers, isPacked ? packagesGz : packages)
}

async function sendPackage(
  { records }: Pick<Hub, 'records'>,
  blobs: BlobSender,
  visit: Visit,
  { node, path }: { readonly node: string; readonly path: string },
): Promise<void> {
  const binpkg = await records.binpkgs.findByPath(node, path)
  if (!binpkg)
    throw new HubError(
      'binpkg.unknown',
      `the binhost of ${node} has no ${JSON.stringify(path.slice(0, 200))}`,
    )
  await blobs.send(visit, { ...binpkg, receivedAt: binpkg.acceptedAt })
}
