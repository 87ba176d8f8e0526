/** Every setting of a hub, in one table: `config.ts` reads them, `portage-hub config show` and docs/operations.md tell them. */
import { isIPv4, isIPv6 } from 'node:net'
import { z } from 'zod'
import { parseAppName } from './gentoo/cpv.ts'

const environmentName = z
  .string()
  .regex(/^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$/, 'lower-case words joined by "-", for example "staging"')
  .max(32)
  .refine((name) => name !== 'archive', '"archive" is the folder of all tarballs')

const environmentSchema = z.strictObject({
  name: environmentName,
  /** automatic: every upload is published here at once; request: only what somebody promotes. */
  promote: z.enum(['automatic', 'request']).default('request'),
})

/** What members of a group of the OpenID provider may; a bound that the role does not keep is refused. */
const apps = z.array(z.string().refine(isAppName, 'must be names of apps')).min(1).nullable().default(null)
const environments = z.array(environmentName).min(1).nullable().default(null)
const grantSchema = z.discriminatedUnion('role', [
  z.strictObject({ role: z.literal('administrator') }),
  z.strictObject({ role: z.literal('developer'), apps }),
  z.strictObject({ role: z.enum(['release-manager', 'approver', 'reader']), apps, environments }),
])

const list = <T extends z.ZodType>(item: T) =>
  z.preprocess(
    (value) => (typeof value === 'string' ? value.split(/[\s,]+/).filter(Boolean) : value),
    z.array(item),
  )
const flag = z.preprocess(
  (value) => (value === 'true' || value === '1' ? true : value === 'false' || value === '0' ? false : value),
  z.boolean(),
)
const BYTES = 'must be a size such as 500MiB or 16GiB, or a number of bytes'
const bytes = z.preprocess(parseBytes, z.int(BYTES).min(1, BYTES))
const TIME = 'must be a time such as 90m, 24h or 7d, or a number of seconds'
const seconds = z.preprocess(
  parseSeconds,
  z
    .int(TIME)
    .min(1, TIME)
    .max(365 * 86_400, TIME),
)
const count = (least: number, most: number) => {
  const message = `must be a whole number from ${String(least)} to ${String(most)}`
  return z.coerce.number(message).int(message).min(least, message).max(most, message)
}
const NETWORKS = 'addresses such as 10.1.2.3, or networks such as 10.1.0.0/16'
const word = (what: RegExp, hint: string) => z.string().regex(what, hint)

/** Every setting: its name in the file, its variable, how it is checked, its default and its meaning. */
export const SETTINGS = {
  host: { env: 'HUB_HOST', schema: z.string().min(1), default: '127.0.0.1', meaning: 'address to listen on' },
  port: { env: 'HUB_PORT', schema: count(0, 65_535), default: 8080, meaning: 'port to listen on' },
  tlsCert: {
    env: 'HUB_TLS_CERT',
    schema: z.string().nullable(),
    default: null,
    meaning: 'file: certificate chain (PEM)',
  },
  tlsKey: {
    env: 'HUB_TLS_KEY',
    schema: z.string().nullable(),
    default: null,
    meaning: 'file: private key (PEM)',
  },
  trustProxy: {
    env: 'HUB_TRUST_PROXY',
    schema: flag,
    default: false,
    meaning: 'believe X-Forwarded-* of a proxy on a private address',
  },
  accelRedirect: {
    env: 'HUB_ACCEL_REDIRECT',
    schema: z
      .string()
      .regex(/^(?:\/[\w.-]+)+$/, 'must be the path of a location, such as /archive')
      .nullable(),
    default: null,
    meaning: 'location by which an nginx in front sends archived files (X-Accel-Redirect)',
  },
  publicUrl: {
    env: 'HUB_PUBLIC_URL',
    schema: z
      .url({ protocol: /^https?$/ })
      .refine(
        (url) => !/[\s'"$`\\|()]/.test(url) && !url.includes('@') && !/[?#]/.test(url),
        'a plain http(s) address',
      )
      .nullable(),
    default: null,
    meaning: 'address that nodes and people use',
  },
  dataDir: {
    env: 'HUB_DATA_DIR',
    schema: z.string().min(1),
    default: '.',
    meaning: 'holds overlays/, distfiles/, var/',
  },
  databaseUrl: {
    env: 'HUB_DATABASE_URL',
    schema: word(/^sqlite:.+$/, 'sqlite:<file>, relative to the data folder'),
    default: 'sqlite:var/hub.db',
    meaning: 'the records',
  },
  blobs: {
    env: 'HUB_BLOBS',
    schema: word(/^file:.+$/, 'file:<folder>, relative to the data folder'),
    default: 'file:distfiles/archive',
    meaning: 'the archive of tarballs',
  },
  adminToken: {
    env: 'HUB_ADMIN_TOKEN',
    schema: z.string().min(1).max(512).nullable(),
    default: null,
    secret: true,
    meaning: "the first administrator's token; made and printed once when not given",
  },
  sessionIdleSec: {
    env: 'HUB_SESSION_IDLE',
    schema: seconds,
    default: 12 * 3600,
    meaning: 'how long somebody stays signed in without doing anything: 30m, 12h',
  },
  sessionMaxSec: {
    env: 'HUB_SESSION_MAX',
    schema: seconds,
    default: 7 * 86_400,
    meaning: 'how long somebody stays signed in at most: 12h, 7d',
  },
  overlayPrefix: {
    env: 'HUB_OVERLAY_PREFIX',
    schema: word(/^[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*$/, 'lower-case words joined by "-"').max(32),
    default: 'hub',
    meaning: 'overlays are named <prefix>-<environment>',
  },
  environments: {
    env: 'HUB_ENVIRONMENTS',
    schema: z
      .preprocess(parseEnvironments, z.array(environmentSchema).min(1))
      .refine(
        (all) => new Set(all.map(({ name }) => name)).size === all.length,
        'two environments have one name',
      ),
    default: [
      { name: 'staging', promote: 'automatic' },
      { name: 'production', promote: 'request' },
    ] as z.infer<typeof environmentSchema>[],
    meaning: 'environments in the order of promotion: name[:automatic|:request] …',
  },
  anonymousRead: {
    env: 'HUB_ANONYMOUS_READ',
    schema: list(environmentName),
    default: [] as string[],
    meaning: 'environments whose overlay and distfiles need no token',
  },
  category: {
    env: 'HUB_CATEGORY',
    schema: word(/^[a-z0-9]+(-[a-z0-9]+)*$/, 'a category, for example "app-acme"'),
    default: 'app-hub',
    meaning: 'category of apps whose recipe names none',
  },
  keywords: {
    env: 'HUB_KEYWORDS',
    schema: list(word(/^~?[a-z0-9][a-z0-9_-]*$/, 'keywords such as amd64 or ~arm64')).refine(
      (all) => all.length > 0,
    ),
    default: ['amd64', 'arm64'],
    meaning: 'KEYWORDS of builds whose recipe names none',
  },
  freeLicenses: {
    env: 'HUB_FREE_LICENSES',
    schema: list(word(/^[A-Za-z0-9_][A-Za-z0-9+_.-]*$/, 'names of licences')),
    default: [] as string[],
    meaning: "in-house licences that nodes accept with ::gentoo's default ACCEPT_LICENSE (@FREE)",
  },
  masters: {
    env: 'HUB_OVERLAY_MASTERS',
    schema: list(word(/^[A-Za-z0-9_][A-Za-z0-9_-]*$/, 'names of repositories')),
    default: [] as string[],
    meaning: 'masters of the overlays; "gentoo" when hand-kept ebuilds inherit its eclasses',
  },
  keepReleases: {
    env: 'HUB_KEEP_RELEASES',
    schema: count(1, 1000),
    default: 20,
    meaning: 'newest releases of an app that an overlay lists',
  },
  keepRestorePoints: {
    env: 'HUB_KEEP_RESTORE_POINTS',
    schema: count(1, 100_000),
    default: 20,
    meaning: 'newest restore points of an app on a node that are kept',
  },
  restorePointExpiresSec: {
    env: 'HUB_RESTORE_POINT_EXPIRES',
    schema: seconds,
    default: 30 * 86_400,
    meaning: 'how long a restore point is kept that its node announced and never goes on with: 24h, 30d',
  },
  maxUploadBytes: {
    env: 'HUB_MAX_UPLOAD',
    schema: bytes,
    default: 16 * 2 ** 30,
    meaning: 'largest tarball, bytes or 500MiB, 16GiB',
  },
  uploadExpiresSec: {
    env: 'HUB_UPLOAD_EXPIRES',
    schema: seconds,
    default: 86_400,
    meaning: 'how long a resumable upload is kept after its last byte: 90m, 24h, 7d',
  },
  maxUnpackedBytes: {
    env: 'HUB_MAX_UNPACKED',
    schema: bytes,
    default: 32 * 2 ** 30,
    meaning: 'what a tarball may unpack to',
  },
  maxEntries: {
    env: 'HUB_MAX_ENTRIES',
    schema: count(1, 10_000_000),
    default: 200_000,
    meaning: 'entries of a tarball',
  },
  webhookAllow: {
    env: 'HUB_WEBHOOK_ALLOW',
    schema: list(z.string().refine(isNetwork, NETWORKS)),
    default: [] as string[],
    meaning: 'addresses and networks inside your own that webhooks may go to as well',
  },
  oidcIssuer: {
    env: 'HUB_OIDC_ISSUER',
    schema: z
      .url({ protocol: /^https?$/ })
      .refine((url) => !/[?#@\s]/.test(url), 'must have no name, query or fragment')
      .nullable(),
    default: null,
    meaning: 'OpenID provider that people sign in with, as its tokens name it (iss)',
  },
  oidcClientId: {
    env: 'HUB_OIDC_CLIENT_ID',
    schema: z.string().min(1).nullable(),
    default: null,
    meaning: 'as whom that provider knows the hub',
  },
  oidcClientSecret: {
    env: 'HUB_OIDC_CLIENT_SECRET',
    schema: z.string().min(1).nullable(),
    default: null,
    secret: true,
    meaning: "the hub's secret at that provider; none for a public client",
  },
  oidcName: {
    env: 'HUB_OIDC_NAME',
    schema: z.string().min(1).max(50),
    default: 'OpenID Connect',
    meaning: 'what people know that provider as',
  },
  oidcScopes: {
    env: 'HUB_OIDC_SCOPES',
    schema: list(word(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'scopes such as profile groups')),
    default: ['profile'],
    meaning: 'scopes that are asked for besides openid',
  },
  oidcGroupsClaim: {
    env: 'HUB_OIDC_GROUPS_CLAIM',
    schema: z.string().min(1),
    default: 'groups',
    meaning: 'the claim that names the groups of somebody',
  },
  oidcGroups: {
    env: 'HUB_OIDC_GROUPS',
    schema: z.preprocess(parseJson, z.record(z.string().min(1), z.array(grantSchema).min(1))),
    default: {},
    meaning: 'what members of a group may: JSON such as {"releasers": [{"role": "approver"}]}',
  },
  identityAllow: {
    env: 'HUB_IDENTITY_ALLOW',
    schema: list(z.string().refine(isNetwork, NETWORKS)),
    default: [] as string[],
    meaning:
      'addresses and networks inside your own where providers of identities may be: your CI, your sign-in',
  },
  smtpUrl: {
    env: 'HUB_SMTP_URL',
    schema: z.string().refine(isSmtpUrl, 'smtp://[name:password@]host[:port], or smtps://…').nullable(),
    default: null,
    secret: true,
    meaning: 'server by which e-mail is sent: smtp://, with STARTTLS, or smtps://',
  },
  smtpTls: {
    env: 'HUB_SMTP_TLS',
    schema: z.enum(['required', 'none']),
    default: 'required',
    meaning: 'required, or none for a server on this machine or in a network that is trusted',
  },
  mailFrom: {
    env: 'HUB_MAIL_FROM',
    schema: z.email('an address such as hub@acme.example').max(254).nullable(),
    default: null,
    meaning: 'address that e-mail is sent from',
  },
  logLevel: {
    env: 'HUB_LOG_LEVEL',
    schema: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']),
    default: 'info',
    meaning: 'fatal, error, warn, info, debug, trace or silent',
  },
} as const satisfies Record<
  string,
  { env: string; schema: z.ZodType; default: unknown; secret?: boolean; meaning: string }
>

export type SettingName = keyof typeof SETTINGS
export type EnvironmentConfig = Readonly<z.infer<typeof environmentSchema>>

/** `staging:automatic production:request` of a variable becomes what the file's list says. */
function parseEnvironments(value: unknown): unknown {
  if (typeof value !== 'string') return value
  return value
    .split(/[\s,]+/)
    .filter(Boolean)
    .map((item) => {
      const [name, promote] = item.split(':')
      return promote === undefined ? { name } : { name, promote }
    })
}

/** What a variable says as JSON, and the file as it is. */
function parseJson(value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

function isAppName(text: string): boolean {
  try {
    parseAppName(text)
    return true
  } catch {
    return false
  }
}

/** An address, or `<address>/<bits>`. */
function isNetwork(text: string): boolean {
  const [address = '', bits = '0', more] = text.split('/')
  const most = isIPv4(address) ? 32 : isIPv6(address) ? 128 : -1
  return more === undefined && /^[0-9]{1,3}$/.test(bits) && Number(bits) <= most
}

/** With nothing behind the port: there is nothing that it could mean. */
function isSmtpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, hostname, username, password, pathname, search, hash } = new URL(text)
  return (
    (protocol === 'smtp:' || protocol === 'smtps:') &&
    hostname !== '' &&
    (username !== '') === (password !== '') &&
    [username, password].every(isDecodable) &&
    (pathname === '' || pathname === '/') &&
    search + hash === ''
  )
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}

/** `500MiB`, `16 GiB` or a plain number of bytes. */
function parseBytes(value: unknown): unknown {
  if (typeof value !== 'string') return value
  const match = /^(\d+)\s*(?:([KMGT])iB)?$/.exec(value.trim())
  if (!match) return value
  const exponent = match[2] === undefined ? 0 : 'KMGT'.indexOf(match[2]) + 1
  return Number(match[1]) * 1024 ** exponent
}

/** `90m`, `24h`, `7d` or a plain number of seconds. */
function parseSeconds(value: unknown): unknown {
  if (typeof value !== 'string') return value
  const match = /^(\d{1,9})([smhd]?)$/.exec(value.trim())
  if (!match) return value
  const units: Readonly<Record<string, number>> = { m: 60, h: 3600, d: 86_400 }
  return Number(match[1]) * (units[match[2] ?? ''] ?? 1)
}
