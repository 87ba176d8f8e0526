/**
 * A real OpenID provider (npm `oidc-provider`) on loopback, in the place of a CI: its jobs ask its token endpoint for identity
 * tokens that say what the CI would say of them.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair } from 'jose'
import type { JWK } from 'jose'
import { Provider } from 'oidc-provider'

const GRANT = 'urn:example:job-identity'

export interface IdentityProvider extends AsyncDisposable {
  readonly issuer: string
  /** Requests for its keys so far. */
  readonly keyRequests: number
  /** The identity of a job, as its CI signs it. `sub` must be among the claims. */
  identity(claims: Readonly<Record<string, unknown>>, audience?: string): Promise<string>
  /** Signs with a new key from now on, and tells no old one. */
  rotate(): Promise<void>
  /** What it answers instead, until null is given again. */
  instead: RequestListener | null
  /** The key that it signs with, with its private part. */
  readonly key: JWK
}

/**
 * @param audiences whom its tokens may be for: the first unless another is asked for.
 * @param algorithm of its signatures.
 */
export async function openIdentityProvider(
  audiences: readonly string[],
  algorithm: 'RS256' | 'PS256' | 'ES256' | 'EdDSA' = 'ES256',
): Promise<IdentityProvider> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
  let current = await newProvider(issuer, audiences, algorithm)
  let keyRequests = 0
  server.on('request', (request, response) => {
    if (request.url === '/jwks') keyRequests++
    const answer = provider.instead ?? current.callback
    answer(request, response)
  })
  const provider: IdentityProvider = {
    issuer,
    instead: null,
    get key() {
      return current.key
    },
    get keyRequests() {
      return keyRequests
    },
    async identity(claims, audience = audiences[0] ?? '') {
      const form = new URLSearchParams({ grant_type: GRANT, claims: JSON.stringify(claims) })
      const reply = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: { Authorization: `Basic ${btoa(`${encodeURIComponent(audience)}:${SECRET}`)}` },
        body: form,
      })
      const { id_token: token } = (await reply.json()) as { id_token?: string }
      if (token === undefined) throw new Error(`the provider answers ${String(reply.status)}`)
      return token
    },
    async rotate() {
      current = await newProvider(issuer, audiences, algorithm)
    },
    async [Symbol.asyncDispose]() {
      await closed(server)
    },
  }
  return provider
}

/** Of an identity. */
export const LASTS_SEC = 300
const SECRET = 'of-the-jobs-of-this-ci'
let keys = 0

async function newProvider(issuer: string, audiences: readonly string[], algorithm: string) {
  const { privateKey } = await generateKeyPair(algorithm, { extractable: true })
  const key = { ...(await exportJWK(privateKey)), alg: algorithm, use: 'sig', kid: `key-${String(++keys)}` }
  const provider = new Provider(issuer, {
    jwks: { keys: [key] },
    clients: audiences.map((audience) => ({
      ...{ client_id: audience, client_secret: SECRET, grant_types: [GRANT], response_types: [] },
      ...{ redirect_uris: [], id_token_signed_response_alg: algorithm as 'ES256' },
    })),
    enabledJWA: { idTokenSigningAlgValues: [algorithm as 'ES256'] },
    features: { devInteractions: { enabled: false } },
    ttl: { IdToken: LASTS_SEC },
  })
  provider.registerGrantType(
    GRANT,
    async (ctx) => {
      const { claims = '{}' } = ctx.oidc.params as { claims?: string }
      const said = JSON.parse(claims) as { sub: string }
      const token = new provider.IdToken({ sub: said.sub }, { ctx })
      for (const [name, value] of Object.entries(said)) token.set(name, value)
      ctx.body = { id_token: await token.issue({ use: 'idtoken' }) }
    },
    'claims',
  )
  return { key, callback: provider.callback() }
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
}

/** What GitHub says of a job. */
export const GITHUB_JOB = {
  sub: 'repo:acme/shop:environment:release',
  repository: 'acme/shop',
  repository_id: '74',
  repository_owner: 'acme',
  repository_owner_id: '65',
  repository_visibility: 'private',
  workflow: 'Anything at all',
  workflow_ref: 'acme/shop/.github/workflows/release.yml@refs/heads/main',
  job_workflow_ref: 'acme/shop/.github/workflows/release.yml@refs/heads/main',
  environment: 'release',
  ref: 'refs/heads/main',
  ref_type: 'branch',
  ref_protected: 'true',
  event_name: 'push',
  actor: 'alice',
  run_id: '812',
  run_number: '10',
  run_attempt: '2',
  runner_environment: 'github-hosted',
  sha: '4f1c2d9f6f2c',
} as const

/** What GitLab says of a job. */
export const GITLAB_JOB = {
  sub: 'project_path:acme/web/shop:ref_type:branch:ref:main',
  namespace_id: '72',
  namespace_path: 'acme/web',
  project_id: '20',
  project_path: 'acme/web/shop',
  user_id: '1',
  user_login: 'alice',
  pipeline_id: '574',
  pipeline_source: 'push',
  job_id: '302',
  ref: 'main',
  ref_type: 'branch',
  ref_path: 'refs/heads/main',
  ref_protected: 'true',
  environment: 'production',
  environment_protected: 'false',
  runner_id: 1,
  runner_environment: 'self-hosted',
  sha: '714a629c0b40',
} as const

/** What the Jenkins plugin says of a build; it gives no `jti`. */
export function jenkinsJob(url: string, job = 'team/shop') {
  const path = job.split('/').map((name) => `/job/${encodeURIComponent(name)}`)
  return { sub: `${url}${path.join('')}/`, build_number: 45 }
}
