/** Every noun of the API, in the order of the document. */
import { apps } from './apps.ts'
import { audit } from './audit.ts'
import { builds } from './builds.ts'
import { checks } from './checks.ts'
import { diffs } from './diffs.ts'
import { environments } from './environments.ts'
import { events } from './events.ts'
import { healthOfHub } from './health.ts'
import { holds } from './holds.ts'
import { keys } from './keys.ts'
import { marks } from './marks.ts'
import { nodes } from './nodes.ts'
import type { Noun } from './operation.ts'
import { people } from './people.ts'
import { promotions } from './promotions.ts'
import { restorePoints } from './restore-points.ts'
import { rollbacks } from './rollbacks.ts'
import { search } from './search.ts'
import { signingIn } from './signing-in.ts'
import { storageAndRetention } from './storage.ts'
import { thisDocument } from './this-document.ts'
import { tokens } from './tokens.ts'
import { trust } from './trust.ts'
import { uploads } from './uploads.ts'
import { webhooks } from './webhooks.ts'

export const NOUNS: readonly Noun[] = [
  ...[apps, uploads, builds, diffs, checks, promotions, marks, environments, holds],
  ...[nodes, restorePoints, rollbacks],
  ...[search, tokens, people, signingIn, trust, keys, audit, events, webhooks, healthOfHub],
  ...[storageAndRetention, thisDocument],
]
