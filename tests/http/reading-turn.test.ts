/** Nobody reads more than a few tarballs at a time. */
import type { Response } from 'express'
import { expect, test } from 'vitest'
import { READINGS_AT_A_TIME, readingTurn } from '../../src/http/reading-turn.ts'
import { tarball } from '../support/tarballs.ts'
import { createTestHub } from '../support/test-hub.ts'

const by = (owner: string, destroyed = false): Response =>
  ({ locals: { principal: { owner } }, destroyed }) as unknown as Response

async function takeAll(owner: string): Promise<readonly Disposable[]> {
  return await Promise.all(
    Array.from({ length: READINGS_AT_A_TIME }, async () => await readingTurn(by(owner))),
  )
}

test('who has all of theirs waits for one of them, and others do not', async () => {
  const turns = await takeAll('prs_1')
  const order: string[] = []
  const wait = async (name: string, response: Response): Promise<void> => {
    using _turn = await readingTurn(response)
    order.push(name)
  }
  const left = wait('who has left', by('prs_1', true))
  const waiting = [wait('first', by('prs_1')), wait('second', by('prs_1'))]
  await wait('other', by('prs_2'))
  expect(order).toEqual(['other'])
  turns[0]?.[Symbol.dispose]()
  await expect(left).rejects.toThrow('nobody waits')
  await Promise.all(waiting)
  expect(order).toEqual(['other', 'first', 'second'])
  for (const turn of turns.slice(1)) turn[Symbol.dispose]()
  for (const turn of await takeAll('prs_1')) turn[Symbol.dispose]()
})

test.each([
  'api/v1/apps/shop/builds/2/raw/shop/run',
  'api/v1/apps/shop/builds/2/files/shop/run',
  'api/v1/apps/shop/builds/2/diff/1',
  'api/v1/apps/shop/builds/2/diff/1/files/run',
  'apps/shop/builds/2/files/shop/run',
  'apps/shop/builds/2/compare/1',
  'apps/shop/builds/2/compare/1/files/run',
])('/%s takes one', async (path) => {
  await using hub = await createTestHub()
  for (const build of ['1', '2']) await hub.upload('shop', tarball({ 'shop/run': build }), { build })
  const [reader, other] = [await hub.token('reader'), await hub.token('reader')]
  const { body } = await hub.as(reader).get('/api/v1/whoami')
  const { owner } = (await hub.hub.records.tokens.find((body as { id: string }).id)) ?? { owner: '' }
  const turns = await takeAll(owner)
  let isAnswered = false
  const asked = hub
    .as(reader)
    .get(`/${path}`)
    .then(({ status }) => {
      isAnswered = true
      return status
    })
  // It asks after the other one, and the other one is answered.
  expect((await hub.as(other).get(`/${path}`)).status).toBe(200)
  expect(isAnswered).toBe(false)
  for (const turn of turns) turn[Symbol.dispose]()
  expect(await asked).toBe(200)
})
