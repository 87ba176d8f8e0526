import fc from 'fast-check'
import { expect, test } from 'vitest'
import { renderNodeFacts } from '../../src/gentoo/node-facts.ts'

const LINE = /^# portage-hub: (\{[ -~]+\})$/

test('a build without commands, schema and service has no line', () => {
  expect(renderNodeFacts({ app: 'shop', build: 45 })).toBeNull()
})

test('the line is one comment, whatever the commands hold, and reads back to the same', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 4 }), (commands) => {
      const backup = { commands, timeoutSec: 600, expect: ['shop.dump'] }
      const [, json = ''] = LINE.exec(renderNodeFacts({ app: 'shop', build: 45, backup }) ?? '') ?? []
      expect(JSON.parse(json)).toEqual({ v: 1, app: 'shop', build: 45, backup })
    }),
  )
})
