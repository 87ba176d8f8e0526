/** A real OpenID provider (npm `oidc-provider`) on loopback that people sign in with. It asks nobody for a password. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose'
import { Provider } from 'oidc-provider'

export const CLIENT = { id: 'portage-hub', secret: 'of-the-hub-at-its-provider' }

export interface LoginProvider extends AsyncDisposable {
  readonly issuer: string
  /** Whom it knows, by subject. */
  readonly people: Map<string, Readonly<Record<string, unknown>>>
  /** Who sits at the browser; null: somebody who will not sign in. */
  user: string | null
  /** Tells it where it may send browsers back to; before that it answers nothing. */
  register(callback: string): void
  /** What its token endpoint answers instead. */
  tokens: (() => Promise<object>) | null
  /** An id token as it would sign it, with claims that it would not. */
  idToken(claims: Readonly<Record<string, unknown>>): Promise<string>
  /** While true, nothing is answered as a provider would. */
  isDown: boolean
  /** Paths that were asked for. */
  readonly asked: string[]
}

export async function openLoginProvider(): Promise<LoginProvider> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const key = { ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig', kid: 'of-people' }
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const issuer = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
  let provider: Provider | null = null
  server.on('request', (request, response) => {
    void answer(request, response)
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split('?', 1)[0] ?? ''
    login.asked.push(path)
    if (login.isDown || !provider) response.writeHead(502).end('a proxy without anything behind it')
    else if (path.startsWith('/interaction/')) await signIn(provider, request, response)
    else if (path === '/token' && login.tokens)
      response.setHeader('Content-Type', 'application/json').end(JSON.stringify(await login.tokens()))
    else await provider.callback()(request, response)
  }

  async function signIn(at: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { params } = await at.interactionDetails(request, response)
    const accountId = login.user
    if (accountId === null) {
      const refusal = { error: 'access_denied', error_description: 'not today' }
      await at.interactionFinished(request, response, refusal)
      return
    }
    const grant = new at.Grant({ accountId, clientId: CLIENT.id })
    grant.addOIDCScope(String(params['scope']))
    const consent = { grantId: await grant.save() }
    await at.interactionFinished(request, response, { login: { accountId }, consent })
  }

  const login: LoginProvider = {
    issuer,
    people: new Map(),
    user: null,
    tokens: null,
    isDown: false,
    asked: [],
    register(callback) {
      provider = new Provider(issuer, {
        jwks: { keys: [key] },
        clients: [
          {
            ...{ client_id: CLIENT.id, client_secret: CLIENT.secret, redirect_uris: [callback] },
            id_token_signed_response_alg: 'ES256',
          },
        ],
        scopes: ['openid', 'profile', 'groups'],
        claims: { openid: ['sub'], profile: ['name', 'preferred_username'], groups: ['groups'] },
        findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id, ...login.people.get(id) }) }),
        features: { devInteractions: { enabled: false } },
        interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
        cookies: { keys: ['a key of this test'] },
        ttl: {
          AccessToken: 600,
          AuthorizationCode: 60,
          Grant: 600,
          IdToken: 600,
          Interaction: 600,
          Session: 600,
        },
      })
    },
    async idToken(claims) {
      const now = Math.floor(Date.now() / 1000)
      const times = { iat: now, exp: now + 300 }
      return await new SignJWT({ iss: issuer, aud: CLIENT.id, ...times, ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: key.kid })
        .sign(await importJWK(key, 'ES256'))
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return login
}
