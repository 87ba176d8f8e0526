/** In which language a file is, by its name or its first line. */
import type { Language } from '../code.ts'

const BY_END: Readonly<Record<string, Language>> = {
  ...{ sh: 'bash', bash: 'bash', ebuild: 'bash', eclass: 'bash', initd: 'bash', confd: 'bash', env: 'bash' },
  ...{ c: 'c', h: 'c', cc: 'cpp', cpp: 'cpp', hpp: 'cpp', go: 'go', java: 'java', rs: 'rust', lua: 'lua' },
  ...{ css: 'css', html: 'xml', htm: 'xml', xml: 'xml', svg: 'xml', xhtml: 'xml', md: 'markdown' },
  ...{ js: 'javascript', mjs: 'javascript', cjs: 'javascript', jsx: 'javascript' },
  ...{ ts: 'typescript', mts: 'typescript', cts: 'typescript', tsx: 'typescript' },
  ...{ json: 'json', map: 'json', yaml: 'yaml', yml: 'yaml', diff: 'diff', patch: 'diff', sql: 'sql' },
  ...{ ini: 'ini', toml: 'ini', conf: 'ini', cfg: 'ini', properties: 'ini', service: 'ini', timer: 'ini' },
  ...{ php: 'php', pl: 'perl', pm: 'perl', py: 'python', rb: 'ruby', mk: 'makefile' },
}

const BY_NAME: Readonly<Record<string, Language>> = {
  makefile: 'makefile',
  gnumakefile: 'makefile',
  rakefile: 'ruby',
  gemfile: 'ruby',
  manifest: 'manifest',
}

const BY_FIRST_LINE: readonly (readonly [RegExp, Language])[] = [
  [/^#!.*\b(?:ba|da|k|z)?sh\b/, 'bash'],
  [/^#!.*\bopenrc-run\b/, 'bash'],
  [/^#!.*\bpython/, 'python'],
  [/^#!.*\bperl\b/, 'perl'],
  [/^#!.*\bruby\b/, 'ruby'],
  [/^#!.*\bnode\b/, 'javascript'],
  [/^#!.*\bphp\b/, 'php'],
  [/^<\?xml\b/, 'xml'],
]

/** null: none that has colours. */
export function languageOf(path: string, text: string): Language | null {
  const name = (path.split('/').at(-1) ?? '').toLowerCase()
  const end = /\.([a-z]+)$/.exec(name)?.[1] ?? ''
  if (Object.hasOwn(BY_NAME, name)) return BY_NAME[name] ?? null
  if (Object.hasOwn(BY_END, end)) return BY_END[end] ?? null
  const line = text.slice(0, 200)
  return BY_FIRST_LINE.find(([begins]) => begins.test(line))?.[1] ?? null
}
