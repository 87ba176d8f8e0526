/** The document is locked: whoever changes the API sees it here, and says that it is meant. */
import { readFileSync, writeFileSync } from 'node:fs'
import { Validator } from '@seriousme/openapi-schema-validator'
import { expect, test } from 'vitest'
import { describeApi } from '../../src/http/openapi/document.ts'
import { NOUNS } from '../../src/http/openapi/nouns.ts'
import { createTestHub } from '../support/test-hub.ts'

const KEPT = new URL('../golden/openapi.json', import.meta.url)

const text = `${JSON.stringify(describeApi(), null, 2)}\n`

test('it is the one that is kept', () => {
  if (process.env['RENEW'] === 'openapi') writeFileSync(KEPT, text)
  expect(
    text,
    'The API is described otherwise than before. If it is meant: RENEW=openapi npm test -- tests/openapi, ' +
      'and look at what git diff tests/golden/openapi.json says.',
  ).toBe(readFileSync(KEPT, 'utf8'))
})

test('it is valid OpenAPI 3.1', async () => {
  const { valid, errors } = await new Validator().validate(JSON.parse(text) as Record<string, unknown>)
  expect(errors ?? []).toEqual([])
  expect(valid).toBe(true)
})

test('every example of a body is one that its schema takes', () => {
  const faults = NOUNS.flatMap(({ operations }) => Object.entries(operations)).flatMap(([id, { body }]) => {
    if (body === undefined) return []
    const bodies = 'schema' in body ? [body] : Object.values(body.content)
    return bodies.flatMap(({ schema, example }) => {
      const result = example === undefined ? undefined : schema.safeParse(example)
      return result?.error ? [`${id}: ${result.error.message}`] : []
    })
  })
  expect(faults).toEqual([])
})

test('a hub serves it to anybody, and an unchanged one as unchanged', async () => {
  await using hub = await createTestHub({}, { jobs: false })
  const reply = await hub.as(null).get('/api/v1/openapi.json')
  expect(reply.text).toBe(text)
  expect(reply.type).toBe('application/json')
  const again = await hub
    .as(null)
    .get('/api/v1/openapi.json')
    .set('If-None-Match', reply.get('ETag') ?? '')
  expect(again.status).toBe(304)
})
