import { existsSync, globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { SETTINGS } from '../src/settings.ts'
import { ERRORS } from '../src/errors.ts'

const read = (name: string) => readFileSync(new URL(`../docs/${name}`, import.meta.url), 'utf8')

test('docs/api.md lists every error code with its status and meaning, and no other', () => {
  const rows = [...read('api.md').matchAll(/^\| (\d{3}) +\| `([a-z_.]+)` +\| (.*?) +\|$/gm)]
  const listed = rows.map(([, status, code, title]) => [code, { status: Number(status), title }])
  expect(Object.fromEntries(listed)).toEqual(ERRORS)
})

test('docs/operations.md lists every setting by its variable and its name in the file', () => {
  const text = read('operations.md')
  for (const [name, { env }] of Object.entries(SETTINGS)) {
    expect(text).toContain(`\`${env}\``)
    expect(text).toContain(`\`${name}\``)
  }
})

const root = new URL('../', import.meta.url)
const pages = globSync(['*.md', 'docs/**/*.md'], { cwd: root })

test.each(pages)('every link of %s leads to a file, and to a heading if it names one', (page) => {
  const text = withoutCode(readFileSync(new URL(page, root), 'utf8'))
  const links = Array.from(text.matchAll(/\]\(([^()\s]+)\)/g), ([, target = '']) => target)
  const broken = links.filter((link) => !/^https?:/.test(link)).filter((link) => !leadsSomewhere(page, link))
  expect(broken).toEqual([])
})

function leadsSomewhere(page: string, link: string): boolean {
  const target = new URL(link, new URL(page, root))
  const heading = decodeURIComponent(target.hash.slice(1))
  target.hash = ''
  if (!existsSync(target)) return false
  return heading === '' || headingsOf(readFileSync(target, 'utf8')).includes(heading)
}

/** As GitHub names them: lower case, without punctuation, blanks as "-". */
function headingsOf(text: string): readonly string[] {
  return Array.from(withoutCode(text).matchAll(/^#+ (.+)$/gm), ([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

const withoutCode = (text: string): string => text.replaceAll(/^```.*?^```$/gms, '')
