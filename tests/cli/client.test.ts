/** The client against servers that are no hub, or leave in the middle. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { clientSettings } from '../../src/config.ts'
import { Client } from '../../src/cli/client.ts'
import { exitStatusOf } from '../../src/cli/exit-status.ts'
import { Failure } from '../../src/cli/failure.ts'
import { streamedForm } from '../../src/cli/form.ts'

async function serve(listener: RequestListener): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function failureOf(work: Promise<unknown>): Promise<Failure> {
  const error: unknown = await work.catch((thrown: unknown) => thrown)
  if (error instanceof Failure) return error
  throw new Error(`no failure: ${String(error)}`)
}

test('a server that is no hub is not taken for one', async () => {
  await using server = await serve((_request, response) => {
    response.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>It works!</h1>')
  })
  const failure = await failureOf(new Client(server.url, null).get('/api/v1/apps'))
  expect(failure).toMatchObject({ code: 'hub.unreachable', exitStatus: 6 })
  expect(failure.message).toMatch(/answers 200, and not as a hub does; check HUB_URL/)
})

test('an address that leads elsewhere says where', async () => {
  await using server = await serve((_request, response) => {
    response.writeHead(301, { Location: 'https://hub.example/' }).end()
  })
  const failure = await failureOf(new Client(server.url, null).get('/api/v1/apps'))
  expect(failure.message).toMatch(/sends us away to https:\/\/hub\.example\/; set HUB_URL/)
})

test('a fault of the hub names its request, and none of its inner text', async () => {
  await using server = await serve((_request, response) => {
    const problem = { status: 500, code: 'fault', detail: 'see the log', requestId: 'req_1' }
    response.writeHead(500, { 'Content-Type': 'application/problem+json' }).end(JSON.stringify(problem))
  })
  const failure = await failureOf(new Client(server.url, null).get('/api/v1/apps'))
  expect(failure).toMatchObject({
    exitStatus: 1,
    message: 'the hub failed; its log says more of request req_1',
  })
})

test('an answer before the end of an upload is heard, and the rest is not sent', async () => {
  await using server = await serve((_request, response) => {
    const problem = JSON.stringify({ code: 'upload.too_large', detail: 'it is too large' })
    response.writeHead(413, { 'Content-Type': 'application/problem+json' }).end(problem)
  })
  let sent = 0
  async function* endless(): AsyncGenerator<Buffer> {
    for (; ; sent++) yield Buffer.alloc(1024)
  }
  const body = { contentType: 'application/octet-stream', sizeBytes: 2 ** 50, chunks: endless() }
  const failure = await failureOf(new Client(server.url, null).upload('/api/v1/apps/a/builds', {}, body))
  expect(failure).toMatchObject({ code: 'upload.too_large', exitStatus: 3, message: 'it is too large' })
  expect(sent * 1024).toBeLessThan(2 ** 30)
})

test('a hub that leaves before it answers is told apart from none', async () => {
  await using server = await serve((request) => {
    request.socket.destroy()
  })
  const failure = await failureOf(new Client(server.url, null).get('/api/v1/apps'))
  expect(failure.message).toMatch(/closed the connection before it answered/)
})

test('a path below the address of the hub is kept, and dots in a path reach the hub', async () => {
  await using server = await serve((request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify({ path: request.url }))
  })
  const client = new Client(`${server.url}/below/`, null)
  expect(await client.get('/api/v1/a/../b', { q: 'x y', none: null, no: false })).toEqual({
    path: '/below/api/v1/a/../b?q=x+y',
  })
})

test.each(['hub.example', 'ftp://hub.example', 'http://user:pw@hub.example', ''])(
  'the address %j is wrong usage',
  (url) => {
    expect(() => new Client(url, null)).toThrow(expect.objectContaining({ exitStatus: 2 }))
  },
)

test('a token that would add a header is wrong usage', () => {
  expect(() => new Client('http://hub.example', 'a\r\nX: y')).toThrow(
    expect.objectContaining({ exitStatus: 2 }),
  )
})

test.each([
  [400, 3],
  [401, 4],
  [403, 4],
  [404, 5],
  [409, 3],
  [422, 3],
  [500, 1],
  [503, 6],
])('status %i ends the command with %i', (http, exit) => {
  expect(exitStatusOf(http)).toBe(exit)
})

test('a form is as long as it says, whatever is in it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.string(), fc.string({ unit: 'binary' }))),
      fc.array(fc.record({ field: fc.string(), fileName: fc.string(), content: fc.uint8Array() })),
      async (fields, files) => {
        const form = streamedForm(
          fields,
          files.map(({ content, ...file }) => ({
            ...file,
            sizeBytes: content.byteLength,
            chunks: (async function* () {
              yield Buffer.from(content)
            })(),
          })),
        )
        let sizeBytes = 0
        for await (const chunk of form.chunks) sizeBytes += chunk.byteLength
        expect(sizeBytes).toBe(form.sizeBytes)
      },
    ),
  )
})

test('a file name cannot end its header', async () => {
  const none = (async function* () {})()
  const form = streamedForm([], [{ field: 'f', fileName: 'a"\r\nX: y', sizeBytes: 0, chunks: none }], 'b')
  const parts: Buffer[] = []
  for await (const chunk of form.chunks) parts.push(chunk)
  expect(Buffer.concat(parts).toString()).toContain('filename="a%22%0D%0AX: y"')
})

test.each([
  [{}, { commit: null, branch: null, url: null }],
  [
    { GIT_COMMIT: 'c1', GIT_BRANCH: 'origin/main', BUILD_URL: 'https://ci.example/7' },
    { commit: 'c1', branch: 'origin/main', url: 'https://ci.example/7' },
  ],
  [
    {
      GITHUB_SHA: 'c2',
      GITHUB_REF_NAME: 'main',
      GITHUB_SERVER_URL: 'https://github.example',
      GITHUB_REPOSITORY: 'a/b',
      GITHUB_RUN_ID: '9',
    },
    { commit: 'c2', branch: 'main', url: 'https://github.example/a/b/actions/runs/9' },
  ],
  [
    { CI_COMMIT_SHA: 'c3', CI_COMMIT_REF_NAME: 'main', CI_JOB_URL: 'https://gitlab.example/-/jobs/1' },
    { commit: 'c3', branch: 'main', url: 'https://gitlab.example/-/jobs/1' },
  ],
])('the facts of a CI job are taken from %j', (env, ci) => {
  expect(clientSettings(env).ci).toEqual(ci)
})

test('HUB_URL and HUB_TOKEN count when they are set and not empty', () => {
  expect(clientSettings({ HUB_URL: '', HUB_TOKEN: ' ' })).toMatchObject({
    url: 'http://127.0.0.1:8080',
    token: null,
  })
  expect(clientSettings({ HUB_URL: 'https://hub.example', HUB_TOKEN: ' t\n' })).toMatchObject({
    url: 'https://hub.example',
    token: 't',
  })
})
