/** One of everything that pages are made of, in each of its states: to look at, and for tests to judge. */
import { chart, shares } from '../chart.ts'
import { code, numberedCode } from '../code.ts'
import {
  action,
  block,
  choice,
  diff,
  digest,
  empty,
  facts,
  field,
  filters,
  fold,
  heading,
  live,
  pager,
  rules,
  section,
  size,
  state,
  table,
  theirs,
  time,
} from '../components.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'
import { marked } from '../marked.ts'
import { sizeText } from '../../size-text.ts'

const NOW = new Date('2026-11-29T12:00:00Z')
const CSRF = 'not a real one'
const SHA512 =
  'cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f'

/** Words as somebody might send them who means us no good. */
const HOSTILE = '<script>alert(1)</script> \u{202e}gpj.exe " onload=alert(1) ' + 'x'.repeat(120)

const DIFFERENCE = `--- a/metadata/layout.conf
+++ b/metadata/layout.conf
@@ -1,2 +1,2 @@
 masters = gentoo
-thin-manifests = false
+thin-manifests = true
`

const CODE = `# ${HOSTILE}
EAPI=8

DESCRIPTION="Acme web shop, \${PV}"
src_install() {
	insinto /opt/shop
	doins -r . || die
}
`

const ROWS = [
  {
    name: 'shop',
    build: 45,
    bytes: 52_428_800,
    at: '2026-11-29T11:58:20Z',
    shown: state('good', 'released'),
  },
  {
    name: 'cart',
    build: 7,
    bytes: 812,
    at: '2026-11-28T09:00:00Z',
    shown: state('waiting', 'awaiting approval'),
  },
  {
    name: HOSTILE,
    build: 1_000_000,
    bytes: 3 * 2 ** 40,
    at: '2025-01-02T03:04:05Z',
    shown: state('bad', 'refused'),
  },
] as const

export function componentsPage(): Html {
  return html`${heading('Components', [['/', 'Portage Hub']], html`<div class="actions">${buttons()}</div>`)}
  ${section(
    'States',
    html`<p>
      ${state('good', 'released')} ${state('waiting', 'checking')} ${state('bad', 'failed')}
      ${state('held', 'held')} ${state('urgent', 'emergency')} ${state('quiet', 'superseded')}
    </p>`,
  )}
  ${section('Facts', someFacts())} ${section('A table', someTable())}
  ${section('A list without anything', empty('No build was archived yet.', 'portage-hub push shop dist/shop-1.4.0.tar.zst'))}
  ${section('A verdict', someRules())} ${section('A chart', someBars())} ${section('Shares', someShares())}
  ${section('Text that keeps its lines', block('EAPI=8\n\nDESCRIPTION="Acme web shop"\n', 'shop-1.4.0_p45.ebuild'))}
  ${section('Code', html`${code(CODE, 'bash', 'shop-1.4.0_p45.ebuild')} ${numberedCode(CODE, 'bash', 'The same by its lines')}`)}
  ${section('A difference', diff(DIFFERENCE, 'metadata/layout.conf'))} ${section('Fields', someFields())}
  ${section('A part that follows the hub', live('following', '/components', ['build.archived'], html`<p>It is asked for again when a build is archived.</p>`))}`
}

function buttons(): Html {
  const fields = { build: '45' }
  return html`${action({ address: '#', label: 'Promote', csrf: CSRF, fields, tone: 'main' })}
  ${action({ address: '#', label: 'Pin', csrf: CSRF })}
  ${fold(
    'Yank…',
    action(
      { address: '#', label: 'Yank', csrf: CSRF, tone: 'danger' },
      field('Reason', { name: 'reason', help: 'Everybody reads it.', isRequired: true }),
    ),
  )}`
}

function someFacts(): Html {
  return facts([
    ['App', html`<a href="#">shop</a>`],
    ['Size', size(52_428_800)],
    ['SHA-512', digest(SHA512)],
    ['Archived', time('2026-11-29T11:12:13Z', NOW)],
    ['Branch', theirs(HOSTILE)],
    [
      'Found',
      marked('shop-1.4.0/etc/shop.toml', [
        [11, 14],
        [15, 19],
      ]),
    ],
    ['Released until', time('2026-12-01T12:00:00Z', NOW)],
    ['Never', time(null, NOW)],
  ])
}

function someTable(): Html {
  const columns = [
    { title: 'App', cell: ({ name }: (typeof ROWS)[number]) => theirs(name) },
    { title: 'Build', cell: ({ build }: (typeof ROWS)[number]) => build, isNumber: true },
    { title: 'State', cell: ({ shown }: (typeof ROWS)[number]) => shown },
    { title: 'Size', cell: ({ bytes }: (typeof ROWS)[number]) => size(bytes), isNumber: true },
    { title: 'At', cell: ({ at }: (typeof ROWS)[number]) => time(at, NOW) },
  ]
  return html`${table('Builds', columns, ROWS, empty('No builds.'))}
  ${pager('?cursor=1', 'Older', '?after=9')}`
}

function someRules(): Html {
  const rule = { since: null, by: null, toMeet: null }
  return rules(
    [
      {
        ...rule,
        state: 'met',
        detail: 'The check unit of stage commit has passed.',
        since: '2026-11-29T10:00:00Z',
        by: 'ci',
      },
      {
        ...rule,
        state: 'unmet',
        detail: '1 of 2 approvals is given.',
        toMeet: 'Ask an approver who did not request it.',
      },
      {
        ...rule,
        state: 'waived',
        detail: `Overridden: ${HOSTILE}`,
        since: '2026-11-29T11:00:00Z',
        by: 'ada',
      },
    ],
    NOW,
  )
}

function someShares(): Html {
  const values = [
    ['archive', 52_428_800],
    [HOSTILE, 812_000],
    ['database', 20_000_000],
  ] as const
  return shares(
    'What the data is made of',
    values.map(([name, value]) => ({ name, value, shown: size(value) })),
  )
}

function someBars(): Html {
  const values = [3, 8, 0, 5, 13, 21, 4, 4, 9].map((value, at) => ({
    name: `build ${String(at + 1)}`,
    value: at === 2 ? null : value * 2 ** 20,
    title: `build ${String(at + 1)}: ${String(value)} MiB`,
  }))
  return chart('Sizes of the last 9 builds', values, sizeText)
}

function someFields(): Html {
  return filters(
    '#',
    html`${field('Name', { name: 'q', value: HOSTILE })}
    ${choice(
      'State',
      'state',
      [
        ['open', 'open'],
        ['ended', 'ended'],
      ],
      'ended',
    )}`,
  )
}
