import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { encodePkt, FLUSH_PKT } from '../../src/git/pkt-line.ts'
import { git, serveOverlay } from '../git/support.ts'
import type { Files, ServedFixture } from '../git/support.ts'

const FIRST: Files = {
  'profiles/repo_name': 'hub-staging\n',
  'metadata/layout.conf': 'masters = gentoo\n',
  'app-acme/shop/shop-1.0.0_p1.ebuild': 'EAPI=8\n',
  'app-acme/shop/Manifest': 'DIST shop-1\n',
}

async function clone(served: ServedFixture, name: string, ...options: readonly string[]): Promise<string> {
  await git(served.folder, ['clone', '-q', ...options, served.url, name])
  return join(served.folder, name)
}

async function expectAt(
  clonePath: string,
  served: ServedFixture,
  ref = 'refs/remotes/origin/main',
): Promise<void> {
  const tip = served.overlay.tip
  expect(await git(clonePath, ['rev-parse', ref])).toBe(tip?.commit)
  expect(await git(clonePath, ['rev-parse', `${ref}^{tree}`])).toBe(tip?.tree.oid)
  expect(await git(clonePath, ['fsck', '--strict'])).toBe('')
}

function fetchBody(lines: readonly string[]): Buffer {
  const head = [encodePkt('command=fetch'), encodePkt('object-format=sha1'), Buffer.from('0001')]
  return Buffer.concat([...head, ...lines.map((line) => encodePkt(`${line}\n`)), FLUSH_PKT])
}

async function ask(
  served: ServedFixture,
  body: Buffer,
  protocol = 'version=2',
): Promise<{ status: number; text: string }> {
  const headers = { 'Git-Protocol': protocol }
  const reply = await fetch(`${served.url}/git-upload-pack`, {
    method: 'POST',
    headers,
    body: Uint8Array.from(body),
  })
  return { status: reply.status, text: Buffer.from(await reply.arrayBuffer()).toString('latin1') }
}

describe('the questions of nodes are answered without a process', () => {
  test('a shallow clone gets the tip alone', async () => {
    await using served = await serveOverlay()
    await served.overlay.publish({ 'old.txt': 'old\n' })
    await served.overlay.publish({ ...FIRST, 'old.txt': null })
    const path = await clone(served, 'node', '--depth', '1')
    await expectAt(path, served)
    expect(await git(path, ['rev-list', '--count', 'HEAD'])).toBe('1')
    expect(await readFile(join(path, 'app-acme/shop/shop-1.0.0_p1.ebuild'), 'utf8')).toBe('EAPI=8\n')
    expect(served.server.processesStarted).toBe(0)
  })

  test('a poll without a change is three requests and an empty pack', async () => {
    await using served = await serveOverlay()
    await served.overlay.publish(FIRST)
    await served.overlay.publish({ 'profiles/categories': 'app-acme\n' })
    const path = await clone(served, 'node', '--depth', '1')
    served.takeRequests()
    await git(path, ['fetch', 'origin', '--depth', '1'])
    expect(served.takeRequests()).toEqual([
      'GET /staging.git/info/refs?service=git-upload-pack',
      'POST /staging.git/git-upload-pack',
      'POST /staging.git/git-upload-pack',
    ])
    await expectAt(path, served)
    expect(served.server.processesStarted).toBe(0)
  })

  test('after one change a poll brings the changed objects only', async () => {
    await using served = await serveOverlay()
    await served.overlay.publish(FIRST)
    const path = await clone(served, 'node', '--depth', '1')
    await served.overlay.publish({ 'app-acme/shop/Manifest': 'DIST shop-2\n' })
    const trace = await git(path, ['fetch', 'origin', '--depth', '1'], { trace: true })
    expect(trace).toMatch(/fetch< ready/)
    // A commit, three trees and a blob.
    expect(await git(path, ['cat-file', '--batch-check', '--batch-all-objects'])).toMatch(/^(?:.*\n){14}.*$/)
    await expectAt(path, served)
    expect(served.server.processesStarted).toBe(0)
  })

  test('after many changes, a rollback and a history shorter than before, a poll brings the tip', async () => {
    await using served = await serveOverlay()
    await served.overlay.publish(FIRST)
    const path = await clone(served, 'node', '--depth', '1')
    for (let number = 1; number <= 12; number++) {
      await served.overlay.publish({
        [`app-acme/shop/shop-1.0.0_p${number}.ebuild`]: `EAPI=8\n# ${number}\n`,
      })
      if (number % 5 !== 0) continue
      await git(path, ['fetch', 'origin', '--depth', '1'])
      await expectAt(path, served)
    }
    await served.overlay.publish({ 'app-acme/shop/shop-1.0.0_p12.ebuild': null })
    await git(path, ['fetch', 'origin', '--depth', '1'])
    await git(path, ['reset', '-q', '--hard', 'origin/main'])
    await expectAt(path, served, 'HEAD')
    expect(served.server.processesStarted).toBe(0)
  })

  test('a large folder is sent as a delta, and the client can make it whole', async () => {
    await using served = await serveOverlay()
    const files = Object.fromEntries(
      Array.from({ length: 500 }, (_, at) => [`metadata/md5-cache/app-acme/a-${at}`, `${at}`]),
    )
    await served.overlay.publish({ ...FIRST, ...files })
    const path = await clone(served, 'node', '--depth', '1')
    await served.overlay.publish({
      'metadata/md5-cache/app-acme/a-250': 'new',
      'metadata/md5-cache/app-acme/a-0': null,
      'metadata/md5-cache/app-acme/zz': 'last',
      'metadata/md5-cache/app-acme/a-499': 'x'.repeat(10),
    })
    const tip = served.overlay.tip?.commit
    const before = served.overlay.held.at(-1)?.commit
    const lines = ['ofs-delta', `shallow ${before}`, 'deepen 1', `want ${tip}`, `have ${before}`]
    const whole = await ask(served, fetchBody(lines))
    const thin = await ask(served, fetchBody(['thin-pack', ...lines]))
    expect(thin.text.length).toBeLessThan(1000)
    expect(whole.text.length).toBeGreaterThan(10_000)
    await git(path, ['fetch', 'origin', '--depth', '1'])
    await expectAt(path, served)
    expect(served.server.processesStarted).toBe(0)
  })

  test('a full clone follows the history that is held', async () => {
    await using served = await serveOverlay()
    await served.overlay.publish(FIRST)
    const path = await clone(served, 'developer')
    for (const text of ['2', '3', '2']) await served.overlay.publish({ 'app-acme/shop/Manifest': text })
    await git(path, ['pull', '-q', '--ff-only'])
    expect(await git(path, ['rev-list', '--count', 'HEAD'])).toBe('4')
    await expectAt(path, served, 'HEAD')
    expect(served.server.processesStarted).toBe(0)
  })

  test('a shallow node that syncs without a depth gets the commits between', async () => {
    await using served = await serveOverlay()
    await served.overlay.publish({ a: '0' })
    await served.overlay.publish(FIRST)
    const path = await clone(served, 'node', '--depth', '1')
    for (const text of ['2', '3']) await served.overlay.publish({ 'app-acme/shop/Manifest': text })
    await git(path, ['fetch', 'origin'])
    expect(await git(path, ['rev-list', '--count', 'origin/main'])).toBe('3')
    await expectAt(path, served)
    await git(path, ['fetch', 'origin', '--depth', '1'])
    expect(await git(path, ['rev-list', '--count', 'origin/main'])).toBe('1')
    expect(served.server.processesStarted).toBe(0)
  })

  test('a node that has local commits still gets the tip', async () => {
    await using served = await serveOverlay()
    await served.overlay.publish(FIRST)
    const path = await clone(served, 'node', '--depth', '1')
    await git(path, ['commit', '-q', '--allow-empty', '-m', 'local'])
    await served.overlay.publish({ 'app-acme/shop/Manifest': '2' })
    await git(path, ['fetch', 'origin', '--depth', '1'])
    await expectAt(path, served)
    expect(served.server.processesStarted).toBe(0)
  })
})

describe('refs are told in every protocol version', () => {
  test.each([0, 1, 2])('version %i', async (version) => {
    await using served = await serveOverlay()
    const config = ['-c', `protocol.version=${version}`]
    expect(await git(served.folder, [...config, 'ls-remote', served.url])).toBe('')
    const { commit } = await served.overlay.publish(FIRST)
    const refs = await git(served.folder, [...config, 'ls-remote', '--symref', served.url])
    expect(refs).toBe(`ref: refs/heads/main\tHEAD\n${commit}\tHEAD\n${commit}\trefs/heads/main`)
    expect(await git(served.folder, [...config, 'ls-remote', '--heads', served.url, 'other'])).toBe('')
    expect(served.server.processesStarted).toBe(0)
  })

  test.each([0, 1, 2])(
    'an overlay without a revision can be cloned and fetched later, version %i',
    async (version) => {
      await using served = await serveOverlay()
      const path = await clone(served, 'node', '-c', `protocol.version=${version}`)
      await served.overlay.publish(FIRST)
      await git(path, ['fetch', '-q', 'origin', '--depth', '1'])
      await expectAt(path, served)
    },
  )
})

describe('unusual questions are answered by git, once', () => {
  test.each([0, 1])('protocol version %i clones, polls and fetches', async (version) => {
    await using served = await serveOverlay()
    await served.overlay.publish(FIRST)
    await served.overlay.publish({ 'app-acme/shop/Manifest': '2' })
    const config = ['-c', `protocol.version=${version}`]
    const shallow = await clone(served, 'shallow', ...config, '--depth', '1')
    const full = await clone(served, 'full', ...config)
    await git(shallow, ['fetch', 'origin', '--depth', '1'])
    await served.overlay.publish({ 'app-acme/shop/Manifest': '3' })
    for (const path of [shallow, full]) {
      await git(path, ['fetch', 'origin', ...(path === shallow ? ['--depth', '1'] : [])])
      await expectAt(path, served)
    }
    expect(await git(full, ['rev-list', '--count', 'origin/main'])).toBe('3')
    const started = served.server.processesStarted
    await clone(served, 'again', ...config, '--depth', '1')
    await clone(served, 'once-more', ...config, '--depth', '1')
    expect(served.server.processesStarted).toBeLessThanOrEqual(started + 2)
  })

  test('a full clone of a history that is not held whole starts one process for all who ask', async () => {
    await using served = await serveOverlay()
    for (const text of ['1', '2', '3']) await served.overlay.publish({ ...FIRST, a: text })
    served.overlay.held = []
    const names = ['a', 'b', 'c', 'd']
    const paths = await Promise.all(names.map(async (name) => await clone(served, name)))
    for (const path of paths) {
      await expectAt(path, served, 'HEAD')
      expect(await git(path, ['rev-list', '--count', 'HEAD'])).toBe('3')
    }
    expect(served.server.processesStarted).toBe(1)
  })

  test('a partial clone', async () => {
    await using served = await serveOverlay()
    await served.overlay.publish(FIRST)
    const path = await clone(served, 'partial', '--filter=blob:none', '--no-checkout', '--depth', '1')
    expect(await git(path, ['rev-list', '--objects', '--missing=print', 'HEAD'])).toContain('\n?')
    await git(path, ['checkout', '-q', 'main'])
    await served.overlay.publish({ 'app-acme/shop/Manifest': '2' })
    await git(path, ['fetch', '-q', '--depth', '1', 'origin'])
    await git(path, ['reset', '-q', '--hard', 'origin/main'])
    expect(await readFile(join(path, 'app-acme/shop/Manifest'), 'utf8')).toBe('2')
    expect(served.server.processesStarted).toBeGreaterThan(0)
  })

  test.each(['blob:limit=1k', 'tree:0', 'combine:blob:none+tree:3', 'object:type=tree'])(
    'the filter %s',
    async (filter) => {
      await using served = await serveOverlay()
      await served.overlay.publish(FIRST)
      const path = await clone(served, 'partial', `--filter=${filter}`, '--no-checkout')
      expect(await git(path, ['rev-parse', 'HEAD'])).toBe(served.overlay.tip?.commit)
    },
  )

  test('clones by time, by revision and by depth, and their deepening', async () => {
    await using served = await serveOverlay()
    for (const text of ['1', '2', '3', '4']) await served.overlay.publish({ ...FIRST, a: text })
    const since = await clone(served, 'since', '--shallow-since=1700000090')
    expect(await git(since, ['rev-list', '--count', 'HEAD'])).toBe('2')
    const two = await clone(served, 'two', '--depth', '2')
    expect(await git(two, ['rev-list', '--count', 'HEAD'])).toBe('2')
    await git(two, ['fetch', '-q', '--deepen', '1'])
    expect(await git(two, ['rev-list', '--count', 'HEAD'])).toBe('3')
    await git(two, ['fetch', '-q', '--unshallow'])
    expect(await git(two, ['rev-list', '--count', 'HEAD'])).toBe('4')
    await expect(clone(served, 'none', '--shallow-since=1800000000')).rejects.toThrow(/400|no commits/)
  })

  test('a client whose revision is known on disk only', async () => {
    await using served = await serveOverlay()
    await served.overlay.publish(FIRST)
    const path = await clone(served, 'node', '--depth', '1')
    for (const text of ['2', '3']) await served.overlay.publish({ 'app-acme/shop/Manifest': text })
    served.overlay.held = []
    await git(path, ['fetch', 'origin', '--depth', '1'])
    await expectAt(path, served)
    expect(served.server.processesStarted).toBeGreaterThan(0)
  })

  test('a client whose revision nobody knows, as after the overlay was rebuilt', async () => {
    await using old = await serveOverlay()
    await old.overlay.publish({ ...FIRST, 'only-there': 'x' })
    const path = await clone(old, 'node', '--depth', '1')
    await using served = await serveOverlay()
    await served.overlay.publish(FIRST)
    await git(path, ['remote', 'set-url', 'origin', served.url])
    await git(path, ['fetch', 'origin', '--depth', '1'])
    await expectAt(path, served)
  })

  test('a wanted revision that is not held comes from disk, one that never was is refused', async () => {
    await using served = await serveOverlay()
    const first = await served.overlay.publish(FIRST)
    await served.overlay.publish({ a: '2' })
    served.overlay.held = []
    const path = await clone(served, 'node', '--depth', '1')
    await git(path, ['fetch', '-q', '--depth', '1', 'origin', first.commit])
    expect(await git(path, ['rev-parse', 'FETCH_HEAD'])).toBe(first.commit)
    await expect(git(path, ['fetch', 'origin', '1'.repeat(40)])).rejects.toThrow(/not our ref/)
  })

  test('the common ground alone can be asked for', async () => {
    await using served = await serveOverlay()
    const { commit } = await served.overlay.publish(FIRST)
    const path = await clone(served, 'node')
    expect(await git(path, ['fetch', '--negotiate-only', '--negotiation-tip=HEAD', 'origin'])).toBe(commit)
  })

  test('an answer too large to keep is streamed to each who asks', async () => {
    await using served = await serveOverlay({ maxKeptAnswerBytes: 2000 })
    const noise = Array.from({ length: 20_000 }, (_, at) => ((at * 2654435761) >>> 7).toString(36)).join('')
    await served.overlay.publish({ noise })
    await served.overlay.publish({ a: '2' })
    served.overlay.held = []
    const paths = await Promise.all(['a', 'b', 'c'].map(async (name) => await clone(served, name)))
    for (const path of paths) await expectAt(path, served, 'HEAD')
    expect(served.server.processesStarted).toBe(3)
  })

  test('a client that leaves stops its process, and the next one is answered', async () => {
    await using served = await serveOverlay({ maxKeptAnswerBytes: 10, maxProcesses: 1 })
    const noise = Array.from({ length: 400_000 }, (_, at) => ((at * 2654435761) >>> 7).toString(36)).join('')
    await served.overlay.publish({ noise })
    await served.overlay.publish({ a: '2' })
    served.overlay.held = []
    const leave = new AbortController()
    const answer = await served.server.answerUploadPack({
      overlay: { tip: served.overlay.tip, former: [] },
      blobs: served.overlay.readBlobs,
      repository: served.overlay.repository,
      body: fetchBody([`want ${served.overlay.tip?.commit}`, 'done']),
      protocolVersion: 2,
      signal: leave.signal,
    })
    leave.abort()
    await expect(buffer(answer.body as AsyncIterable<Buffer>)).rejects.toThrow()
    await expectAt(await clone(served, 'next'), served, 'HEAD')
  })

  test('a damaged repository is a fault of the hub, not of the request', async () => {
    await using served = await serveOverlay()
    await served.overlay.publish(FIRST)
    await served.overlay.publish({ a: '2' })
    served.overlay.held = []
    await rm(join(served.overlay.repository.path, 'HEAD'))
    const reply = await ask(served, fetchBody([`want ${served.overlay.tip?.commit}`, 'done']))
    expect(reply.status).toBe(500)
  })
})

test('equal questions at the same time are answered once, and again from memory', async () => {
  await using served = await serveOverlay()
  await served.overlay.publish(FIRST)
  served.overlay.blobReads = 0
  await Promise.all(['a', 'b', 'c', 'd', 'e'].map(async (name) => await clone(served, name, '--depth', '1')))
  await clone(served, 'f', '--depth', '1')
  expect(served.overlay.blobReads).toBe(Object.keys(FIRST).length)
})

test('a client that asks while the tip moves gets one whole revision', async () => {
  await using served = await serveOverlay()
  await served.overlay.publish({ ...FIRST, a: '0', 'b/c': '0' })
  const path = await clone(served, 'node', '--depth', '1')
  let published = 0
  const publish = (async () => {
    for (; published < 60; published++) {
      await served.overlay.publish({ a: `${published}`, 'b/c': `${published}` })
    }
  })()
  while (published < 60) {
    await git(path, ['fetch', '-q', 'origin', '--depth', '1'])
    const a = await git(path, ['show', 'origin/main:a'])
    expect(await git(path, ['show', 'origin/main:b/c'])).toBe(a)
    expect(await git(path, ['fsck', '--strict'])).toBe('')
  }
  await publish
  await git(path, ['fetch', '-q', 'origin', '--depth', '1'])
  await expectAt(path, served)
})

test('the processes of all questions together are limited, and each gets its turn', async () => {
  await using served = await serveOverlay({ maxProcesses: 1 })
  await served.overlay.publish(FIRST)
  await served.overlay.publish({ a: '2' })
  const depths = ['2', '3', '4', '5', '6']
  const paths = await Promise.all(
    depths.map(async (depth) => await clone(served, `depth-${depth}`, '--depth', depth)),
  )
  for (const path of paths) await expectAt(path, served, 'HEAD')
})

describe('hostile bodies are refused, and nothing is started for them', () => {
  const oid = 'a'.repeat(40)
  const bodies: Record<string, Buffer> = {
    'binary junk': Buffer.from(Array.from({ length: 300 }, (_, at) => (at * 73) % 256)),
    'a length past the end': Buffer.from('00ffcommand=fetch'),
    'a length of three': Buffer.from('0003'),
    'a length that is no number': Buffer.from('+0x1want'),
    'a length past the largest': Buffer.from(`fff5${'x'.repeat(70_000)}`),
    'an unknown command': Buffer.concat([encodePkt('command=object-info'), FLUSH_PKT]),
    'two commands': Buffer.concat([encodePkt('command=fetch'), encodePkt('command=ls-refs'), FLUSH_PKT]),
    'another object format': Buffer.concat([
      encodePkt('command=fetch'),
      encodePkt('object-format=sha256'),
      FLUSH_PKT,
    ]),
    'no end': Buffer.concat([encodePkt('command=ls-refs')]),
    'two sections': Buffer.concat([encodePkt('command=fetch'), Buffer.from('00010001'), FLUSH_PKT]),
    'an unknown argument': fetchBody([`want ${oid}`, 'sideband-all', 'done']),
    'an unknown ls-refs argument': Buffer.concat([
      encodePkt('command=ls-refs'),
      Buffer.from('0001'),
      encodePkt('x'),
      FLUSH_PKT,
    ]),
    'a want that is no id': fetchBody(['want --upload-pack=evil', 'done']),
    'a depth that is none': fetchBody([`want ${oid}`, 'deepen -1', 'done']),
    'a filter that reads a file': fetchBody([`want ${oid}`, 'filter sparse:path=/etc/passwd', 'done']),
    'a revision to stop at that is none': fetchBody([`want ${oid}`, 'deepen-not --all', 'done']),
    'too many lines': Buffer.from('0004'.repeat(100_001)),
  }

  test.each(Object.entries(bodies))('%s', async (_, body) => {
    await using served = await serveOverlay()
    await served.overlay.publish(FIRST)
    expect(await ask(served, body)).toMatchObject({ status: 400 })
    expect(await ask(served, body, '')).toMatchObject({ status: 400 })
    expect(served.server.processesStarted).toBe(0)
  })

  test('sixteen thousand unknown haves are answered', async () => {
    await using served = await serveOverlay()
    const tip = await served.overlay.publish(FIRST)
    const haves = Array.from({ length: 16_000 }, (_, at) => `have ${at.toString(16).padStart(40, '0')}`)
    expect((await ask(served, fetchBody([`want ${tip.commit}`, ...haves]))).text).toContain('NAK')
    const known = await ask(served, fetchBody([`want ${tip.commit}`, ...haves, `have ${tip.commit}`]))
    expect(known.text).toContain('ready')
  })

  test('an empty request gets an empty answer', async () => {
    await using served = await serveOverlay()
    for (const body of ['', '0000'])
      expect(await ask(served, Buffer.from(body))).toEqual({ status: 200, text: '' })
  })
})
