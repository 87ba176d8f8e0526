import { expect, test } from 'vitest'
import {
  contentHashPath,
  filenameHashPath,
  renderDistfilesLayoutConf,
  renderLayoutConf,
} from '../../src/gentoo/layout-conf.ts'

const INVALID = expect.objectContaining({ code: 'request.invalid' })

test('layout.conf names its masters even if there are none', () => {
  expect(renderLayoutConf({ masters: [] })).toBe(
    'masters =\nthin-manifests = true\nsign-manifests = false\nmanifest-hashes = BLAKE2B SHA512\n' +
      'manifest-required-hashes = BLAKE2B\ncache-formats = md5-dict\n',
  )
  expect(renderLayoutConf({ masters: ['gentoo'] })).toMatch(/^masters = gentoo\n/)
})

test('a master that is no name is refused', () => {
  for (const master of ['', 'a b', 'a\nb', '-x', '#'])
    expect(() => renderLayoutConf({ masters: [master] })).toThrow(INVALID)
})

test('the mirror offers hashed names first', () => {
  expect(renderDistfilesLayoutConf()).toBe(
    '[structure]\n0=filename-hash BLAKE2B 8\n1=content-hash SHA512 8:8\n2=flat\n',
  )
})

test.each([
  ['foo-1.0.tar.gz', '4b'],
  ['acme-web-1.4.0_p45.tar.gz', '53'],
  ['acme-web-1.4.0_p46.tar.gz', '1f'],
])('%s is in the folder %s, where Portage looks for it', (name, folder) => {
  expect(filenameHashPath(name)).toBe(`${folder}/${name}`)
})

test('a content path is made of the digest alone', () => {
  const sha512 = `abcdef${'0'.repeat(122)}`
  expect(contentHashPath(sha512)).toBe(`ab/cd/${sha512}`)
})

test('no path is made of what is no name or digest', () => {
  expect(() => filenameHashPath('../x')).toThrow(INVALID)
  for (const sha512 of ['', '../../x', 'A'.repeat(128), `${'a'.repeat(128)}\n`])
    expect(() => contentHashPath(sha512)).toThrow(INVALID)
})
