import fc from 'fast-check'
import { expect, test } from 'vitest'
import { HubError } from '../../src/errors.ts'
import { decodePkts, encodePkt, encodeSideBand, pktText } from '../../src/git/pkt-line.ts'
import { parseUploadPackRequest } from '../../src/git/upload-pack-request.ts'

test('what is encoded is decoded again', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (lines) => {
      const body = Buffer.concat(lines.flatMap((line) => [encodePkt(Buffer.from(line)), Buffer.from('0000')]))
      expect(decodePkts(body)).toEqual(lines.flatMap((line) => [Buffer.from(line), 'flush']))
    }),
  )
  expect(decodePkts(Buffer.from('000100020004'))).toEqual(['delim', 'response-end', Buffer.alloc(0)])
})

test('the line feed at the end of a line is optional', () => {
  expect([pktText(Buffer.from('done\n')), pktText(Buffer.from('done')), pktText(Buffer.alloc(0))]).toEqual([
    'done',
    'done',
    '',
  ])
})

test('a line can be 65516 bytes long and no longer', () => {
  expect(decodePkts(encodePkt(Buffer.alloc(65516)))).toEqual([Buffer.alloc(65516)])
  expect(() => encodePkt(Buffer.alloc(65517))).toThrow(/too long/)
})

test('side band data is cut into lines of the largest size', () => {
  const data = Buffer.from(Array.from({ length: 150_000 }, (_, at) => at % 251))
  const lines = decodePkts(encodeSideBand(1, data)) as Buffer[]
  expect(lines.map((line) => line.byteLength)).toEqual([65516, 65516, 150_000 - 2 * 65515 + 1])
  expect(lines.every((line) => line[0] === 1)).toBe(true)
  expect(Buffer.concat(lines.map((line) => line.subarray(1)))).toEqual(data)
})

test('no body does more than to be refused', () => {
  const word = fc.constantFrom(
    'command=fetch',
    'command=ls-refs',
    'want ',
    'have ',
    'done',
    `want ${'a'.repeat(40)}`,
    'deepen 1',
  )
  const pkt = fc.oneof(
    word.map(encodePkt),
    fc.constantFrom('0000', '0001', '0002', '0003').map((text) => Buffer.from(text)),
  )
  const bodies = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.array(pkt, { maxLength: 10 }).map((pkts) => Buffer.concat(pkts)),
  )
  fc.assert(
    fc.property(bodies, fc.constantFrom(0, 1, 2), (body, version) => {
      try {
        parseUploadPackRequest(body, version)
      } catch (error) {
        expect(error).toBeInstanceOf(HubError)
        expect(error).toMatchObject({ code: 'request.invalid' })
      }
    }),
    { numRuns: 1000 },
  )
})
