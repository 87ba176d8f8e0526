/**
 * Whom an app may trust to upload it: a CI's own identity, in the shape that each CI gives its jobs. A trust is an issuer and
 * what the claims of its tokens must be, and never so wide that whoever has an account at the same CI fits.
 * Sources: GitHub's "OpenID Connect reference", GitLab's "OpenID Connect (OIDC) Authentication Using ID Tokens", and the
 * Jenkins plugin "OpenID Connect Provider".
 */
import { z } from 'zod'
import { HubError } from '../errors.ts'
import { claimPattern, hasWildcard } from './claim-pattern.ts'

/** Compared as it is, so it is kept as it is. */
const issuer = z
  .url({ protocol: /^https?$/, error: 'must be an https address' })
  .max(255)
  .refine((url) => /^https?:\/\/[^/@?#\s]+(?:\/[^?#\s]*)?$/.test(url), 'must have no name, query or fragment')

const exact = claimPattern.refine((text) => !hasWildcard(text), 'must be written out, without *')

const common = {
  commands: z
    .boolean()
    .default(true)
    .describe('false: its uploads may bring neither commands nor an ebuild of their own.'),
}

const github = z.strictObject({
  ...common,
  provider: z.literal('github'),
  issuer: issuer.default('https://token.actions.githubusercontent.com'),
  repository: exact.regex(/^[\w-]+\/[\w.-]+$/, 'must be <owner>/<repository>'),
  /** The file in `.github/workflows`: a workflow's name is whatever its file says. */
  workflow: z
    .string()
    .max(255)
    .regex(/^[\w.-]+\.ya?ml$/, 'must be the name of a file in .github/workflows')
    .optional(),
  environment: claimPattern.optional(),
  /** As git names it in full: `refs/heads/main`, `refs/tags/v*`. */
  ref: claimPattern.regex(/^refs\//, 'must begin with refs/, for example refs/heads/main').optional(),
})

const gitlab = z.strictObject({
  ...common,
  provider: z.literal('gitlab'),
  issuer: issuer.default('https://gitlab.com'),
  project: exact.regex(/^[\w.-]+(?:\/[\w.-]+)+$/, 'must be <group>/<project>'),
  environment: claimPattern.optional(),
  ref: claimPattern.regex(/^refs\//, 'must begin with refs/, for example refs/heads/main').optional(),
  /** Only jobs of protected branches and tags. */
  protected: z.boolean().default(false),
})

const jenkins = z.strictObject({
  ...common,
  provider: z.literal('jenkins'),
  url: issuer.transform((url) => url.replace(/\/+$/, '')),
  /** Of a credential that names another one than `<url>/oidc`, for example of a folder. */
  issuer: issuer.optional(),
  /** Folders and job: `shop`, `team/shop`; of a multibranch pipeline `shop/main` or `shop/*`. */
  job: claimPattern
    .regex(/^[^/:]+(?:\/[^/:]+)*$/, 'must be the names of its folders and its own, joined by /')
    .refine((job) => !hasWildcard(job.split('/', 1)[0] ?? ''), 'must begin with a name without *'),
})

/** What every token has of itself, and the hub judges anyway. */
const JUDGED = ['iss', 'aud', 'exp', 'nbf', 'iat', 'jti']

const other = z.strictObject({
  ...common,
  provider: z.literal('other'),
  issuer,
  claims: z
    .record(
      z
        .string()
        .regex(/^[\w:/.-]{1,100}$/, 'is no name of a claim')
        .refine((name) => !JUDGED.includes(name), 'is judged in every token'),
      claimPattern,
    )
    .refine((claims) => Object.keys(claims).length <= 20, 'are more than 20'),
})

export const trustShape = z.discriminatedUnion('provider', [github, gitlab, jenkins, other])
type TrustShape = z.infer<typeof trustShape>

export type Provider = TrustShape['provider']

export interface Trust {
  readonly provider: Provider
  /** Exactly the `iss` of its tokens. */
  readonly issuer: string
  /** By claim, what it must be: see `claim-pattern.ts` and, for what some CIs' claims are made of, `ci-facts.ts`. */
  readonly claims: Readonly<Record<string, string>>
}

/** @throws {HubError} `trust.too_wide`. */
export function trustOf(shape: TrustShape): Trust {
  switch (shape.provider) {
    case 'github': {
      const { provider, issuer, repository, workflow, environment, ref } = shape
      return { provider, issuer, claims: given({ repository, workflow, environment, ref }) }
    }
    case 'gitlab': {
      const { provider, issuer, project, environment, ref } = shape
      const isProtected = shape.protected ? 'true' : undefined
      const claims = { project_path: project, environment, ref_path: ref, ref_protected: isProtected }
      return { provider, issuer, claims: given(claims) }
    }
    case 'jenkins': {
      const { provider, url, job } = shape
      const path = job.split('/').map((name) => `/job/${encodeURIComponent(name).replaceAll('%2A', '*')}`)
      return { provider, issuer: shape.issuer ?? `${url}/oidc`, claims: { sub: `${url}${path.join('')}/` } }
    }
    case 'other': {
      refuseWide(shape)
      const { provider, issuer, claims } = shape
      return { provider, issuer, claims }
    }
  }
}

/** Everybody's CI: who has an account there chooses most claims at will. */
const SHARED: Readonly<Record<string, Provider>> = {
  'token.actions.githubusercontent.com': 'github',
  'gitlab.com': 'gitlab',
}

function refuseWide({ issuer, claims }: Extract<TrustShape, { provider: 'other' }>): void {
  const shape = SHARED[new URL(issuer).hostname]
  if (shape !== undefined)
    throw new HubError(
      'trust.too_wide',
      `anybody may have jobs at ${issuer}: send "provider": "${shape}", which names the repository`,
    )
  if (claims['sub'] === undefined || hasWildcard(claims['sub']))
    throw new HubError('trust.too_wide', `claims must name the "sub" of ${issuer}, written out, without *`)
}

function given(claims: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(claims).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
}
