import { expect, test } from 'vitest'
import {
  renderCategories,
  renderLicenseGroups,
  renderPackageMask,
  renderProfilesEapi,
  renderRepoName,
  renderThirdpartymirrors,
} from '../../src/gentoo/profiles.ts'
import { injectionCorpus } from '../support/injection-corpus.ts'

const INVALID = expect.objectContaining({ code: 'request.invalid' })
const CORPUS = injectionCorpus('/x')

test('profiles are of EAPI 8', () => {
  expect(renderProfilesEapi()).toBe('8\n')
})

test('repo_name is one line', () => {
  expect(renderRepoName('hub-staging')).toBe('hub-staging\n')
  for (const name of ['', 'a b', '-x', 'hub-1.0', 'hub-2', 'x\n', 'é'])
    expect(() => renderRepoName(name)).toThrow(INVALID)
})

test('categories are sorted and each is there once', () => {
  expect(renderCategories(['dev-db', 'app-acme', 'dev-db'])).toBe('app-acme\ndev-db\n')
  expect(() => renderCategories(['a/b'])).toThrow(INVALID)
})

test('thirdpartymirrors gives each URL of the mirror without a slash at its end', () => {
  const urls = ['https://hub.example/distfiles/staging/', 'http://[::1]:8080/d']
  expect(renderThirdpartymirrors({ mirrorName: 'hub', urls })).toBe(
    'hub https://hub.example/distfiles/staging http://[::1]:8080/d\n',
  )
})

test('a mirror without URL, or with a hostile one, is refused', () => {
  expect(() => renderThirdpartymirrors({ mirrorName: 'hub', urls: [] })).toThrow(INVALID)
  expect(() => renderThirdpartymirrors({ mirrorName: 'h b', urls: ['http://a'] })).toThrow(INVALID)
  for (const url of ['ftp://a/', 'http://a b', 'http://a\nb', "http://a/'", 'http://', '/distfiles']) {
    expect(() => renderThirdpartymirrors({ mirrorName: 'hub', urls: [url] })).toThrow(INVALID)
  }
})

test('license_groups adds the names to FREE', () => {
  expect(renderLicenseGroups(['b', 'all-rights-reserved', 'b'])).toBe('FREE all-rights-reserved b\n')
  expect(renderLicenseGroups([])).toBe('')
  expect(() => renderLicenseGroups(['a b'])).toThrow(INVALID)
})

test('package.mask says who, when and why, one block each', () => {
  const entry = { atom: '=app-acme/shop-6.1.0_p45', reason: 'loses orders', by: 'anna', date: '2026-11-23' }
  expect(renderPackageMask([entry, { ...entry, atom: '>=app-acme/web-2' }])).toBe(
    '# anna (2026-11-23)\n# loses orders\n=app-acme/shop-6.1.0_p45\n\n# anna (2026-11-23)\n# loses orders\n>=app-acme/web-2\n',
  )
  expect(renderPackageMask([])).toBe('')
})

test('no hostile text of a mask leaves its comment, and no hostile atom gets in', () => {
  for (const text of CORPUS) {
    const lines = renderPackageMask([{ atom: 'app-acme/shop', reason: text, by: text, date: text }]).split(
      '\n',
    )
    expect(lines).toHaveLength(4)
    expect(lines.filter((line) => line !== '' && !line.startsWith('#'))).toEqual(['app-acme/shop'])
    expect(() =>
      renderPackageMask([{ atom: `app-acme/shop\n${text}`, reason: '', by: '', date: '' }]),
    ).toThrow(INVALID)
  }
})
