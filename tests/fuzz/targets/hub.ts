/** Every target that is fuzzed through the door of a running hub. */
import type { FuzzedHub } from '../support/hub-process.ts'
import type { Target } from '../support/target.ts'
import { gitOverHttp } from './hub-git.ts'
import { ranges } from './hub-ranges.ts'
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
  'http-git': gitOverHttp,
  'http-sockets': sockets,
}
