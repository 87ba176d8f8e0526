import { expect, test } from 'vitest'
import { parseMd5Cache, renderMd5Cache } from '../../src/gentoo/md5-cache.ts'
import { renderEbuild } from '../../src/gentoo/ebuild.ts'
import { goldenModel } from '../support/golden-ebuilds.ts'

test('an entry has sorted keys, no empty value, and the MD5 of the ebuild last', () => {
  const model = goldenModel('defaults', '{}')
  expect(renderMd5Cache(model, 'abc')).toBe(`DEFINED_PHASES=compile configure install test unpack
DESCRIPTION=defaults (published by Portage Hub)
EAPI=8
KEYWORDS=amd64 arm64
LICENSE=all-rights-reserved
RESTRICT=bindist mirror strip
SLOT=0
SRC_URI=mirror://hub/hub-defaults-6.1.0_rc2_p45.tar.gz
_md5_=900150983cd24fb0d6963f7d28e17f72
`)
})

test('an entry reads back', () => {
  const model = goldenModel('defaults', 'description: "a = b"')
  const entry = renderMd5Cache(model, renderEbuild(model))
  const values = parseMd5Cache(entry)
  expect(values.get('DESCRIPTION')).toBe('a = b')
  expect([...values].map(([key, value]) => `${key}=${value}\n`).join('')).toBe(entry)
})

test('a value that Portage would print otherwise is refused', () => {
  const model = goldenModel('defaults', '{}')
  for (const homepage of ['-n', '-e x', 'a\rb']) {
    expect(() => renderMd5Cache({ ...model, homepage }, '')).toThrow(
      expect.objectContaining({ code: 'ebuild.unsafe' }),
    )
  }
  expect(renderMd5Cache({ ...model, homepage: ' a\n_md5_=0\t ' }, '')).toContain('\nHOMEPAGE=a _md5_=0\n')
})

test('an entry that the client would discard is refused', () => {
  for (const text of ['', 'EAPI=8', 'EAPI\n', '=8\n', 'EAPI=8\n\n', 'EAPI=8\nEAPI=8\n']) {
    expect(() => parseMd5Cache(text)).toThrow(expect.objectContaining({ code: 'request.invalid' }))
  }
})
