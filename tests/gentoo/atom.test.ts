import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  atomsOf,
  formatAtom,
  formatDependencies,
  parseAtom,
  parseDependencies,
  usesUseFlags,
} from '../../src/gentoo/atom.ts'
import type { Atom, Dependency, SlotDependency, UseDependency } from '../../src/gentoo/atom.ts'
import { parseCategory, parsePn } from '../../src/gentoo/cpv.ts'
import { parsePvr } from '../../src/gentoo/version.ts'

const goldenAtoms = readFileSync(new URL('../golden/atoms.tsv', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => line.split('\t') as [string, string])

const refused = expect.objectContaining({ code: 'request.invalid' })

function accepts(text: string): boolean {
  try {
    parseAtom(text)
    return true
  } catch (error) {
    expect(error).toMatchObject({ code: 'request.invalid' })
    return false
  }
}

const slotName = fc.constantFrom('0', '16.2', 'a+b_c-d', '_x')
const slot: fc.Arbitrary<SlotDependency> = fc.oneof(
  slotName.map((name) => ({ slot: name })),
  slotName.map((name) => ({ slot: name, operator: '=' as const })),
  fc.tuple(slotName, slotName).map(([name, subslot]) => ({ slot: name, subslot })),
  fc.constantFrom('=' as const, '*' as const).map((operator) => ({ operator })),
)
const flag = fc.constantFrom('ssl', 'x+y', 'python_targets_python3_13', 's-s', 'c@d', '0')
const useDependency: fc.Arbitrary<UseDependency> = fc.record(
  {
    flag,
    form: fc.constantFrom('', '-', '?', '!?', '=', '!=' as const),
    missing: fc.constantFrom('+' as const, '-' as const),
  },
  { requiredKeys: ['flag', 'form'] },
)
const use = fc.uniqueArray(useDependency, { maxLength: 4, selector: (entry) => entry.flag })
const versioned = fc.record({
  operator: fc.constantFrom('=', '=*', '<', '<=', '>=', '>', '~' as const),
  pvr: fc.constantFrom('1', '1.4.0_rc2_p45-r1', '2026.08', '1.2b').map(parsePvr),
})
const atom: fc.Arbitrary<Atom> = fc
  .tuple(
    fc.record({
      blocker: fc.constantFrom('', '!', '!!' as const),
      category: fc.constantFrom('app-acme', 'dev-db', 'x.y+z').map(parseCategory),
      pn: fc.constantFrom('shop-web', 'gtk+', 'foo-r1', '9lives').map(parsePn),
      use,
    }),
    fc.oneof(fc.constant({ operator: '' as const }), versioned),
    fc.oneof(fc.constant({}), fc.record({ slot })),
  )
  .map(([name, version, slotPart]) => ({ ...name, ...version, ...slotPart }))

// In an ebuild no := may stand inside || ( ): the trees below keep it out everywhere.
const treeAtom = atom
  .filter(({ slot: chosen }) => chosen?.operator !== '=')
  .map((value): Dependency => ({ kind: 'atom', atom: value }))
const { item } = fc.letrec<{ item: Dependency }>((tie) => {
  const items = fc.array(tie('item'), { minLength: 1, maxLength: 3, depthIdentifier: 'tree' })
  return {
    item: fc.oneof(
      { depthIdentifier: 'tree', maxDepth: 4 },
      treeAtom,
      fc.record({ kind: fc.constantFrom('all', 'any'), items }),
      fc.record({ kind: fc.constant('use' as const), flag, negated: fc.boolean(), items }),
    ),
  }
})
const tree = fc.array(item, { maxLength: 4 }).map((items): Dependency => ({ kind: 'all', items }))

// Each would add a word or a line of shell, or a key of the cache, if it went through.
const hostile = [
  'a/b\n',
  'a/b\nRDEPEND=x',
  'a/b\ta/c',
  'a/b\r',
  'a/b\0',
  'a/b"',
  "a/b'",
  'a/$(id)',
  'a/`id`',
  'a/${x}',
  'a/b;id',
  'a/b|c',
  'a/b&',
  'a/b#c',
  'a/b\\',
  'a/é',
  'а/b',
  'a/b\u2028',
  'a/b:$(id)',
  'a/b:0\n',
  'a/b[x\n]',
  'a/b[x,$(id)]',
  'a/b[x]\n',
  '=a/b-1*\n',
  '=a/b-１',
]

describe('atoms', () => {
  test('are those that Portage takes', () => {
    const wrong = goldenAtoms.filter(([text, accepted]) => accepts(text) !== (accepted === '1'))
    expect(goldenAtoms.length).toBeGreaterThan(800)
    expect(wrong).toEqual([])
  })

  test('are written as they were read', () => {
    for (const [text, accepted] of goldenAtoms)
      if (accepted === '1') expect(formatAtom(parseAtom(text))).toBe(text)
  })

  test('are read as they were written', () => {
    fc.assert(
      fc.property(atom, (value) => {
        expect(parseAtom(formatAtom(value))).toEqual(value)
      }),
      { numRuns: 500 },
    )
  })

  test('have all their parts', () => {
    expect(parseAtom('!!=app-acme/shop-web-1.4*:0/1=[a,-b,c=,!c=,d?,!d?,e(+),-e(+)]')).toEqual({
      blocker: '!!',
      operator: '=*',
      category: 'app-acme',
      pn: 'shop-web',
      pvr: '1.4',
      slot: { slot: '0', subslot: '1', operator: '=' },
      use: [
        { flag: 'a', form: '' },
        { flag: 'b', form: '-' },
        { flag: 'c', form: '=' },
        { flag: 'c', form: '!=' },
        { flag: 'd', form: '?' },
        { flag: 'd', form: '!?' },
        { flag: 'e', form: '', missing: '+' },
        { flag: 'e', form: '-', missing: '+' },
      ],
    })
  })

  test.each([
    ['app-acme/shop-1', 'has a version but no operator'],
    ['>=app-acme/shop', 'has an operator but no version'],
    ['>=app-acme/shop-1*', 'has a * without the operator ='],
    ['app-acme/shop:0*', 'has a slot that is none'],
    ['app-acme/shop[-a?]', 'has a USE dependency that is none'],
    ['app-acme/shop[e(+),-e(-)]', 'gives the flag e two defaults'],
    ['app-acme/shop::gentoo', 'is not an atom'],
  ])('%s is refused because it %s', (text, fault) => {
    expect(() => parseAtom(text)).toThrow(
      expect.objectContaining({ message: expect.stringContaining(fault) }),
    )
  })

  test.each(hostile)('refuse %j', (text) => {
    expect(() => parseAtom(text)).toThrow(refused)
  })

  test('that are very long are refused at once', () => {
    expect(() => parseAtom(`a/b[${'x,'.repeat(500_000)}x]`)).toThrow(refused)
  })
})

describe('dependencies', () => {
  test('are read as they were written', () => {
    fc.assert(
      fc.property(tree, (value) => {
        expect(parseDependencies(formatDependencies(value))).toEqual(value)
      }),
      { numRuns: 500 },
    )
  })

  test('are written with single spaces', () => {
    const text = '  a/b   || (  a/c  ( a/d  !!<a/e-1 )  ) !x? ( y? ( a/f:= ) ) '
    expect(formatDependencies(parseDependencies(text))).toBe(
      'a/b || ( a/c ( a/d !!<a/e-1 ) ) !x? ( y? ( a/f:= ) )',
    )
    expect(formatDependencies(parseDependencies('  '))).toBe('')
  })

  test('list their atoms in order', () => {
    const found = atomsOf(parseDependencies('a/b || ( a/c ( a/d ) ) x? ( a/e )'))
    expect(found.map(formatAtom)).toEqual(['a/b', 'a/c', 'a/d', 'a/e'])
  })

  test.each([
    '( )',
    '|| ( )',
    'x? ( )',
    '(a/b)',
    '( a/b',
    'a/b )',
    '( a/b ) )',
    '|| a/b',
    '||',
    'x? a/b',
    'x?',
    'x?( a/b )',
    '||( a/b )',
    '!!x? ( a/b )',
    '! x? ( a/b )',
    '-x? ( a/b )',
    '^^ ( a/b )',
    '?? ( a/b )',
    'at-most-one ( a/b )',
    '&& ( a/b )',
    'https://x.example/y',
    'a/b -> c',
    'a/b, a/c',
    '"a/b"',
    ...hostile,
  ])('refuse %j', (text) => {
    expect(() => parseDependencies(text)).toThrow(refused)
  })

  test('do not take the slot operator = inside || ( ), nor after a sub-slot', () => {
    expect(formatDependencies(parseDependencies('a/b:= x? ( a/b:0= )'))).toBe('a/b:= x? ( a/b:0= )')
    for (const text of ['|| ( a/b:= )', '|| ( ( a/c a/b:0= ) )', '|| ( x? ( a/b:= ) )', 'a/b:0/1=']) {
      expect(() => parseDependencies(text)).toThrow(refused)
    }
  })

  test('nest sixteen deep and no deeper, and an abyss is no crash', () => {
    const nested = (depth: number): string => `${'( '.repeat(depth)}a/b${' )'.repeat(depth)}`
    expect(formatDependencies(parseDependencies(nested(16)))).toBe(nested(16))
    expect(() => parseDependencies(nested(17))).toThrow(refused)
    expect(() => parseDependencies('( '.repeat(16_000))).toThrow(refused)
    expect(() => parseDependencies('( '.repeat(1_000_000))).toThrow(refused)
  })
})

describe('use of USE flags', () => {
  test.each([
    'x? ( a/b )',
    '|| ( a/b !x? ( a/c ) )',
    'a/b[x?]',
    'a/b[!x?]',
    '( a/b[y,x=] )',
    'a/b[!x=]',
    'a/b[x(+)?]',
  ])('%s needs IUSE', (text) => {
    expect(usesUseFlags(parseDependencies(text))).toBe(true)
  })

  test.each(['', 'a/b', 'a/b[x,-y,z(+)]', '|| ( a/b[x] ( a/c a/d ) )'])('%j needs none', (text) => {
    expect(usesUseFlags(parseDependencies(text))).toBe(false)
  })
})
