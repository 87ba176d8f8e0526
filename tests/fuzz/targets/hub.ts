/** Every target that is fuzzed through the door of a running hub. */
import type { FuzzedHub } from '../support/hub-process.ts'
import type { Target } from '../support/target.ts'
import { checks } from './hub-checks.ts'
import { fleet } from './hub-fleet.ts'
import { gitOverHttp } from './hub-git.ts'
import { restorePoints } from './hub-points.ts'
import { binhostIndexes, binhostPackages, ranges } from './hub-ranges.ts'
import { bodies, headers, paths, queries } from './hub-requests.ts'
import { resumable } from './hub-resumable.ts'
import { sockets } from './hub-sockets.ts'
import { forms, uploads } from './hub-uploads.ts'

export const HUB_TARGETS: Readonly<Record<string, (hub: FuzzedHub) => Target>> = {
  'http-paths': paths,
  'http-queries': queries,
  'http-headers': headers,
  'http-bodies': bodies,
  'http-ranges': ranges,
  'http-forms': forms,
  'http-uploads': uploads,
  'http-resumable': resumable,
  'http-points': restorePoints,
  'http-binhost': binhostPackages,
  'http-indexes': binhostIndexes,
  'http-fleet': fleet,
  'http-checks': checks,
  'http-git': gitOverHttp,
  'http-sockets': sockets,
}
