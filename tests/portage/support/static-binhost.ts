/** A binhost that serves what it is given, as nodes ask for it, and nothing else. */
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { PublishedIndex } from '../../../src/binpkgs/binhost-index.ts'

export interface StaticBinhost extends AsyncDisposable {
  readonly url: string
  /** Shows this index from now on, and these packages by their PATH in it. */
  show(index: PublishedIndex, packages: ReadonlyMap<string, Buffer>): void
  /** `GET /Packages.gz 304`, in their order, since the last time of asking. */
  take(): readonly string[]
}

export async function openStaticBinhost(): Promise<StaticBinhost> {
  let files: ReadonlyMap<string, Buffer> = new Map()
  let modified = new Date(0)
  let seen: string[] = []
  const server = createServer((request, response) => {
    const status = answer(request, response)
    seen.push(`${request.method ?? ''} ${request.url ?? ''} ${status}`)
  })
  const answer = (request: IncomingMessage, response: ServerResponse): number => {
    const name = (request.url ?? '').slice(1)
    const content = files.get(name)
    if (!content) return ended(response, 404)
    const since = Date.parse(request.headers['if-modified-since'] ?? '')
    if (name.startsWith('Packages') && modified.getTime() <= since) return ended(response, 304)
    response.setHeader('Last-Modified', modified.toUTCString())
    return ended(response, 200, content)
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    show({ packages, packagesGz, timestampSec }, shown) {
      modified = new Date(timestampSec * 1000)
      const index = { Packages: Buffer.concat(packages), 'Packages.gz': Buffer.concat(packagesGz) }
      files = new Map([...shown, ...Object.entries(index)])
    },
    take() {
      const taken = seen
      seen = []
      return taken
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function ended(response: ServerResponse, status: number, content?: Buffer): number {
  response.statusCode = status
  response.end(content)
  return status
}
