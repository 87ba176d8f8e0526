import fc from 'fast-check'
import semver from 'semver'
import { describe, expect, test } from 'vitest'
import { HubError } from '../../src/errors.ts'
import { DEFAULT_VERSION_POLICY, pvFromSemver } from '../../src/gentoo/semver-to-pv.ts'
import type { VersionPolicy } from '../../src/gentoo/semver-to-pv.ts'
import { comparePvr } from '../../src/gentoo/version.ts'

const lenient: VersionPolicy = { preReleaseWords: { dev: 'alpha', cr: 'rc' }, otherWords: 'alpha' }

function refusalOf(text: string, policy?: VersionPolicy): HubError {
  try {
    pvFromSemver(text, 45, policy)
  } catch (error) {
    if (error instanceof HubError) return error
    throw error
  }
  throw new Error(`${text} was not refused`)
}

describe('a version and a build number', () => {
  test.each([
    ['1.4.0', 46, '1.4.0_p46', '1.4.0'],
    ['1.4.0-rc.2', 45, '1.4.0_rc2_p45', '1.4.0-rc.2'],
    ['1.4.0-rc2', 45, '1.4.0_rc2_p45', '1.4.0-rc2'],
    ['2.0.0-beta', 7, '2.0.0_beta_p7', '2.0.0-beta'],
    ['v1.4.0', 1, '1.4.0_p1', '1.4.0'],
    ['1.4', 1, '1.4.0_p1', '1.4.0'],
    ['v1.4-a', 1, '1.4.0_alpha_p1', '1.4.0-a'],
    ['2026.08.01', 1, '2026.8.1_p1', '2026.8.1'],
    ['2026.00.010-rc.02', 1, '2026.0.10_rc2_p1', '2026.0.10-rc.2'],
    ['1.0.0-alpha.0', 1, '1.0.0_alpha0_p1', '1.0.0-alpha.0'],
    ['1.0.0-A1', 1, '1.0.0_alpha1_p1', '1.0.0-A1'],
    ['1.0.0-b.3', 1, '1.0.0_beta3_p1', '1.0.0-b.3'],
    ['1.0.0-pre.3', 1, '1.0.0_pre3_p1', '1.0.0-pre.3'],
    ['1.0.0-Preview3', 1, '1.0.0_pre3_p1', '1.0.0-Preview3'],
    ['1.0.0-c.3', 1, '1.0.0_rc3_p1', '1.0.0-c.3'],
    ['1.0.0-RC', 1, '1.0.0_rc_p1', '1.0.0-RC'],
    ['1.4.0+git.0a1b2c3', 45, '1.4.0_p45', '1.4.0+git.0a1b2c3'],
    ['1.4.0-rc.2+007', 45, '1.4.0_rc2_p45', '1.4.0-rc.2+007'],
    ['1.4.0', 9007199254740991, '1.4.0_p9007199254740991', '1.4.0'],
    [null, 45, '0_p45', null],
  ])('%s and build %d give %s and keep %s', (text, build, pv, kept) => {
    expect(pvFromSemver(text, build)).toEqual({ pv, semver: kept })
  })

  test.each([0, -1, 1.5, NaN, Infinity, 2 ** 53, 1e21])('build %d is refused', (build) => {
    expect(() => pvFromSemver('1.4.0', build)).toThrow(
      expect.objectContaining({ code: 'build.invalid_number' }),
    )
    expect(() => pvFromSemver(null, build)).toThrow(expect.objectContaining({ code: 'build.invalid_number' }))
  })
})

describe('a version without a lossless form', () => {
  const cases = [
    ['1.4.0-dev.3', '1.4.0-alpha.3'],
    ['1.4.0-SNAPSHOT', '1.4.0-alpha'],
    ['1.4.0-nightly20260822', '1.4.0-alpha.20260822'],
    ['1.4.0-constructor', '1.4.0-alpha'],
    ['1.4.0-1', '1.4.0-alpha.1'],
    ['1.4.0-020260822', '1.4.0-alpha.20260822'],
    ['1.4.0-rc.1.2', '1.4.0-rc.1'],
    ['1.4.0-beta.3.x', '1.4.0-beta.3'],
    ['1.4.0-rc1.2', '1.4.0-rc.1'],
    ['1.4.0-1.2', '1.4.0-alpha.1'],
    ['1.4.0-rc-2', '1.4.0-rc.2'],
    ['1.4.0-3-g0a1b2c3', '1.4.0-alpha.3'],
    ['1.4.0--rc.2', '1.4.0-rc.2'],
    ['1.4.0.7', '1.4.0'],
    ['1.4.0.7-rc.1', '1.4.0-rc.1'],
    ['01.04.00.07', '1.4.0'],
    ['5', '5.0.0'],
    ['v5-rc1', '5.0.0-rc.1'],
    ['1.4.0rc2', '1.4.0-rc.2'],
    ['1.4.0_rc2', '1.4.0-rc.2'],
    ['1.4.0.RC2', '1.4.0-rc.2'],
    ['1.4.0-rc_2', '1.4.0-rc.2'],
    ['1.4~beta', '1.4.0-beta'],
    ['1.4.0-rc.', '1.4.0-rc'],
  ] as const
  test.each(cases)('%s is refused, and %s would do', (text, nearest) => {
    const refusal = refusalOf(text)
    expect(refusal).toMatchObject({ code: 'version.no_lossless_form', extra: { nearest } })
    expect(refusal.message).toContain(`${nearest} would do`)
    expect(pvFromSemver(nearest, 45).semver).toBe(nearest)
  })

  test('is always told a version that would do', () => {
    const text = fc.stringMatching(
      /^v?[0-9]{1,4}(\.[0-9]{1,3}){0,3}[-._~]?([a-z0-9]{1,6}([-._]?[a-z0-9]{1,4}){0,3})?$/,
    )
    fc.assert(
      fc.property(text, (version) => {
        fc.pre(version.length > 0)
        try {
          pvFromSemver(version, 45)
        } catch (error) {
          const refusal = error as HubError
          expect(['version.no_lossless_form', 'version.invalid']).toContain(refusal.code)
          if (refusal.code === 'version.no_lossless_form')
            pvFromSemver(refusal.extra['nearest'] as string, 45)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('what is no version', () => {
  test.each([
    '',
    'v',
    'V1.4.0',
    'vv1.4.0',
    '=1.4.0',
    'latest',
    '1.',
    '.1',
    '1..0',
    '1.x.0',
    '1.4.*',
    '^1.4.0',
    '1.4.0-',
    '1.4.0+',
    '1.4.0-+x',
    '1.4.0-rc..2',
    '1.4.0-x.',
    '1.4.0+a+b',
    '1.4.0+a..b',
    '1.4.0-r1_p2',
    '1.0; rm -rf',
    '1.0 ',
    ' 1.0',
    '1.0\n',
    '1.0.0\nMALICIOUS=1',
    '1.0.0\r',
    '1.0.0\0',
    '1.0.0-rc.2\0',
    '１.0.0',
    '1.٠.0',
    '1.0.0-rc.２',
    '1.0.0-ｒc',
    '1.0.0-rс.1',
    '1.0.0\u2028',
    '$(id)',
    '1.0.0-$(id)',
    "1.0.0-'",
    '../1.0.0',
    '-1.0.0',
    '9007199254740993.0.0',
    '99999999999999999999.1',
    '99999999999999999999.1rc1',
    `1.0.0+${'a'.repeat(123)}`,
  ])('%j is refused', (text) => {
    for (const policy of [DEFAULT_VERSION_POLICY, lenient]) {
      expect(refusalOf(text, policy)).toMatchObject({ code: 'version.invalid' })
    }
  })

  test('is refused at once, however long', () => {
    expect(refusalOf('1.'.repeat(500_000)).message.length).toBeLessThan(350)
  })
})

describe('the policy of an app', () => {
  test.each([
    ['1.4.0-dev.3', '1.4.0_alpha3_p45'],
    ['1.4.0-DEV', '1.4.0_alpha_p45'],
    ['1.4.0-cr2', '1.4.0_rc2_p45'],
    ['1.4.0-nightly', '1.4.0_alpha_p45'],
    ['1.4.0-nightly.7', '1.4.0_alpha_p45'],
    ['1.4.0-feature-login', '1.4.0_alpha_p45'],
    ['1.4.0-constructor', '1.4.0_alpha_p45'],
    ['1.4.0-rc.2', '1.4.0_rc2_p45'],
  ])('can give %s the form %s', (text, pv) => {
    expect(pvFromSemver(text, 45, lenient)).toEqual({ pv, semver: text })
  })

  test('can name words and still refuse all others', () => {
    const policy: VersionPolicy = { preReleaseWords: { dev: 'alpha' }, otherWords: 'refuse' }
    expect(pvFromSemver('1.4.0-dev.3', 45, policy).pv).toBe('1.4.0_alpha3_p45')
    expect(refusalOf('1.4.0-nightly', policy).code).toBe('version.no_lossless_form')
  })

  test('cannot change what the known words mean', () => {
    const policy: VersionPolicy = { preReleaseWords: { rc: 'alpha' }, otherWords: 'alpha' }
    expect(pvFromSemver('1.4.0-rc.2', 45, policy).pv).toBe('1.4.0_rc2_p45')
  })

  test.each(['1.4.0-1', '1.4.0-rc.1.2', '1.4.0-rc-2', '1.4.0-nightly.1.2', '1.4.0.7'])(
    'cannot allow %s',
    (text) => {
      expect(refusalOf(text, lenient).code).toBe('version.no_lossless_form')
    },
  )
})

describe('order', () => {
  const TYPES = ['alpha', 'beta', 'pre', 'rc', 'release'] as const
  // Few and close values, and some past 2^31 and with many digits, where text order and number order differ.
  const number = fc.oneof(fc.integer({ min: 0, max: 12 }), fc.constantFrom(99, 100, 20260822, 2 ** 40))
  const build = fc.record({
    core: fc.tuple(number, number, number),
    type: fc.integer({ min: 0, max: TYPES.length - 1 }),
    /** -1 is a word without a number. */
    n: fc.oneof(fc.constant(-1), number),
    build: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constantFrom(100, 2 ** 40)),
  })
  type Build = typeof build extends fc.Arbitrary<infer T> ? T : never

  function semverOf({ core, type, n }: Build): string {
    const word = TYPES[type]!
    if (word === 'release') return core.join('.')
    return `${core.join('.')}-${word}${n === -1 ? '' : `.${n}`}`
  }

  /** The order that was promised: core, type, n (none is 0), build. */
  function keyOf({ core, type, n, build: number }: Build): readonly number[] {
    return [...core, type, TYPES[type] === 'release' ? 0 : Math.max(n, 0), number]
  }

  function compareKeys(a: Build, b: Build): number {
    const left = keyOf(a)
    const right = keyOf(b)
    const i = left.findIndex((value, at) => value !== right[at])
    return i === -1 ? 0 : Math.sign(left[i]! - right[i]!)
  }

  const pvOfBuild = (value: Build) => pvFromSemver(semverOf(value), value.build).pv

  // Pairs that share most of their parts, so that every part decides now and then.
  const pair = fc
    .tuple(build, build, fc.tuple(fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean()))
    .map(([a, b, [core, type, n, number]]): [Build, Build] => [
      a,
      {
        core: core ? a.core : b.core,
        type: type ? a.type : b.type,
        n: n ? a.n : b.n,
        build: number ? a.build : b.build,
      },
    ])

  test('is by core, then type, then n, then build', () => {
    fc.assert(
      fc.property(pair, ([a, b]) => {
        expect(comparePvr(pvOfBuild(a), pvOfBuild(b))).toBe(compareKeys(a, b))
      }),
      { numRuns: 3000 },
    )
  })

  test('is that of semantic versions wherever these differ by more than a missing number for 0', () => {
    fc.assert(
      fc.property(pair, ([a, b]) => {
        const bySemver = semver.compare(semverOf(a), semverOf(b))
        const onlyMissing = compareKeys({ ...a, build: 1 }, { ...b, build: 1 }) === 0
        if (!onlyMissing) expect(comparePvr(pvOfBuild(a), pvOfBuild(b))).toBe(bySemver)
      }),
      { numRuns: 3000 },
    )
  })

  test('makes different builds different texts, and equal only a word with and without 0 of one build', () => {
    fc.assert(
      fc.property(pair, ([a, b]) => {
        const sameText = semverOf(a) === semverOf(b) && a.build === b.build
        expect(pvOfBuild(a) === pvOfBuild(b)).toBe(sameText)
        const equal = comparePvr(pvOfBuild(a), pvOfBuild(b)) === 0
        if (equal && !sameText) expect([a.build, Math.max(a.n, 0)]).toEqual([b.build, Math.max(b.n, 0)])
        if (a.build !== b.build) expect(equal).toBe(false)
      }),
      { numRuns: 3000 },
    )
  })

  test('every version ends in its build number', () => {
    fc.assert(
      fc.property(build, (value) => {
        expect(pvOfBuild(value)).toMatch(new RegExp(`_p${value.build}$`))
      }),
    )
  })

  test('builds without a version are in order of their numbers, below all that have one', () => {
    fc.assert(
      fc.property(build, fc.integer({ min: 1, max: 1000 }), (value, number) => {
        const [unversioned, next] = [pvFromSemver(null, number).pv, pvFromSemver(null, number + 1).pv]
        expect(comparePvr(unversioned, next)).toBe(-1)
        expect(comparePvr(next, pvOfBuild(value))).toBe(-1)
      }),
    )
  })
})
