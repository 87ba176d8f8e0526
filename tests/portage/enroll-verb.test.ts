/** `hub-node enroll` on real hosts: what an image that has hub-node already becomes a node by. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { createTestHub } from '../support/test-hub.ts'
import type { TestHub } from '../support/test-hub.ts'
import { openNode } from './support/gentoo-node.ts'
import type { GentooNode } from './support/gentoo-node.ts'
import { WRAPPER } from './support/hub-node.ts'
import { describeWithPortage } from './support/portage.ts'

/** What the hub publishes is told from what came with the image. */
const PUBLISHED = Buffer.from('#!/usr/bin/env python3\nprint("hub-node of the overlay")\n')
const PROGRAM = resolve(import.meta.dirname, '../../node/hub-node')

async function openImage(purpose: string): Promise<GentooNode> {
  const node = await openNode(purpose)
  await node.write('usr/lib/hub-node', await readFile(PROGRAM), 0o755)
  await node.write('usr/local/bin/hub-node-of-image', WRAPPER, 0o755)
  return node
}

interface Enrolled {
  readonly status: number | null
  readonly output: string
  readonly result: Readonly<Record<string, unknown>>
}

/** The token is written to its standard input. */
async function enroll(node: GentooNode, token: string, ...words: readonly string[]): Promise<Enrolled> {
  const command = 'printf "%s\\n" "$1" | setsid -w hub-node-of-image enroll "${@:2}" --json'
  const { status, output } = await node.run('bash', '-o', 'pipefail', '-c', command, 'bash', token, ...words)
  const last = output.trimEnd().split('\n').at(-1) ?? ''
  return { status, output, result: last.startsWith('{') ? (JSON.parse(last) as Enrolled['result']) : {} }
}

async function newToken(hub: TestHub): Promise<string> {
  return await hub.token('enrol', { environments: ['staging'] })
}

const WORDS = ['--environment', 'staging', '--name', 'web1', '--token-file', '-'] as const

async function settingsOf(node: GentooNode): Promise<string> {
  return await node.bash(
    // GnuPG makes and removes locks in its folders.
    `cd /etc/portage
    find . -type d -exec stat -c "%n %a %U" {} + | sort
    find . ! -type d ! -name "*.lock" -exec stat -c "%n %a %U %Y" {} + | sort
    find . -type f ! -name "*.lock" -exec sha256sum {} + | sort`,
  )
}

const tests = (): void => {
  test('it shows what it will do, does it by the script that the hub has signed, and does nothing the second time', async () => {
    await using hub = await createTestHub({}, { hubNode: PUBLISHED })
    await using other = await createTestHub()
    await using node = await openImage('verb')
    const secret = await newToken(hub)
    const before = await settingsOf(node)
    const key = hub.hub.overlayKeys.current.fingerprint
    const shown = await enroll(node, secret, hub.url, ...WORDS, '--key', key)
    expect(shown.result).toMatchObject({ result: 'refused', status: 23, code: 'not_confirmed' })
    expect(shown.output).toContain(`This machine becomes the node web1 of staging at ${hub.url}:`)
    const stranger = other.hub.overlayKeys.current.fingerprint
    const refused = await enroll(node, secret, hub.url, ...WORDS, '--key', stranger, '--yes')
    expect(refused.result).toMatchObject({ status: 23, code: 'enroll.untrusted' })
    expect(await settingsOf(node)).toBe(before)
    expect((await hub.as().get('/api/v1/nodes')).body.items).toEqual([])

    const first = await enroll(node, secret, hub.url, ...WORDS, '--key', key, '--yes')
    expect(first.result, first.output).toMatchObject({
      result: 'enrolled',
      status: 0,
      node: 'web1',
      hub: hub.url,
    })
    expect(first.output).toContain('Trusted signature found on top commit')
    expect(await node.must('hub-node')).toBe('hub-node of the overlay\n')
    const enrolled = await settingsOf(node)
    expect(enrolled).toContain('./hub/.netrc 640 root')
    expect(enrolled).not.toContain('.enrolment')

    // Its own address, no token, and the keys that it believes.
    const again = await enroll(node, '', '--yes')
    expect(again.result, again.output).toMatchObject({
      result: 'nothing_to_do',
      status: 0,
      environment: 'staging',
    })
    expect(await settingsOf(node)).toBe(enrolled)
    Object.assign(hub.hub, { overlayKeys: other.hub.overlayKeys })
    const unknown = await enroll(node, '', '--yes')
    expect(unknown.result).toMatchObject({ status: 23, code: 'enroll.untrusted' })
  })

  test('an overlay that does not verify is removed again, and it says that it is not done', async () => {
    await using hub = await createTestHub()
    await using other = await createTestHub()
    await using node = await openImage('verb-tampered')
    Object.assign(hub.hub, { overlayKeys: other.hub.overlayKeys })
    const { result, output } = await enroll(node, await newToken(hub), hub.url, ...WORDS, '--yes')
    expect(result, output).toMatchObject({ result: 'broken', status: 22, code: 'enroll.incomplete' })
    expect(result['detail']).toContain('could not be synced with a signature that holds')
    expect(await node.bash('ls -A /var/db/repos /etc/portage/repos.conf')).not.toContain('hub')
  })

  test('when the answer of the hub is lost, the same command gets it, and the token is used once', async () => {
    let isToFail = true
    const reached = (step: string): void => {
      if (step === 'enrol.recorded' && isToFail) throw new Error('lost')
    }
    await using hub = await createTestHub({}, { steps: { reached } })
    await using node = await openImage('verb-lost')
    const secret = await newToken(hub)
    const lost = await enroll(node, secret, hub.url, ...WORDS, '--yes')
    expect(lost.status, lost.output).toBe(20)
    expect((await hub.as().get('/api/v1/nodes')).body.items).toHaveLength(1)
    expect(await node.bash('stat -c "%a %U %s" /etc/portage/hub/.enrolment')).toBe('600 root 64\n')
    isToFail = false
    // Another machine that saw the token.
    await using thief = await openImage('verb-thief')
    const stolen = await enroll(thief, secret, hub.url, ...WORDS, '--yes')
    expect(stolen.result).toMatchObject({ status: 20, code: 'enroll.failed' })
    expect(stolen.result['detail']).toContain('this enrolment token was used already')
    expect(await thief.bash('ls -A /etc/portage')).not.toContain('hub')

    const again = await enroll(node, secret, hub.url, ...WORDS, '--yes')
    expect(again.result, again.output).toMatchObject({ result: 'enrolled', status: 0, node: 'web1' })
    expect(await node.bash('ls -A /etc/portage/hub')).not.toContain('.enrolment')
    expect((await hub.as().get('/api/v1/nodes')).body.items).toHaveLength(1)
  })
}

describeWithPortage('hub-node enroll', tests, { timeoutMs: 400_000 })
