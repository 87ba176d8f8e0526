/** Whether a hub answers at an address. */
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Config } from '../config.ts'

const PATIENCE_MS = 5000

/** `hub`: one answers; `other`: something else does; `silent`: nothing does. */
export interface Probe {
  readonly state: 'hub' | 'other' | 'silent'
  /** Why, unless it is a hub. */
  readonly why: string
}

/** Asks `url`. `anyCertificate`: for this host's own port, where the name in the certificate is another. */
export async function probeHub(url: string, anyCertificate = false): Promise<Probe> {
  const { promise, resolve } = Promise.withResolvers<Probe>()
  const start = url.startsWith('https:') ? httpsRequest : httpRequest
  const options = { timeout: PATIENCE_MS, agent: false, rejectUnauthorized: !anyCertificate }
  const request = start(`${url}/healthz`, options, (response) => {
    const isHub = response.statusCode === 200 && String(response.headers['x-request-id']).startsWith('req_')
    resolve(
      isHub
        ? { state: 'hub', why: '' }
        : { state: 'other', why: `it answers ${String(response.statusCode)}` },
    )
    response.destroy()
  })
  request.once('timeout', () => request.destroy(new Error('no answer within 5 seconds')))
  request.once('error', (error: NodeJS.ErrnoException) => {
    const isSilent = ['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', 'EADDRNOTAVAIL'].includes(error.code ?? '')
    resolve({ state: isSilent ? 'silent' : 'other', why: error.message || (error.code ?? 'no answer') })
  })
  request.end()
  return await promise
}

/** The address at which this host reaches its own hub. */
export function localUrl({ host, port, tlsCert }: Pick<Config, 'host' | 'port' | 'tlsCert'>): string {
  const everywhere: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' }
  const name = everywhere[host] ?? host
  return `${tlsCert === null ? 'http' : 'https'}://${name.includes(':') ? `[${name}]` : name}:${String(port)}`
}
