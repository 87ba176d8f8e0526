/** Which page of the hub shows more of a change: the one table, for events, e-mails and the audit. */
import type { HubEvent } from './event.ts'

type About = Pick<HubEvent, 'subject' | 'app' | 'build' | 'environment' | 'node'> & { readonly type: string }

/** The page of what was changed, as a path of the hub; null: it has none. */
export function pageOf({ type, subject, app, build, environment, node }: About): string | null {
  const kind = type.slice(0, type.indexOf('.'))
  const id = encodeURIComponent(subject)
  switch (kind) {
    case 'person':
      return subject.startsWith('prs_') ? `/people/${id}` : null
    case 'webhook':
      return type === 'webhook.removed' ? null : `/webhooks/${id}`
    case 'retention':
      return '/storage'
    case 'token':
      return '/tokens'
    case 'promotion':
      return `/promotions/${id}`
    case 'policy':
    case 'overlay':
      return environment === null ? null : `/environments/${encodeURIComponent(environment)}`
    case 'node':
    case 'restore_point':
    case 'rollback':
      return node === null ? null : `/nodes/${encodeURIComponent(node)}`
    default:
      if (app === null) return null
      return `/apps/${encodeURIComponent(app)}${build === null ? '' : `/builds/${String(build)}`}`
  }
}
