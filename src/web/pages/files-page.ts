/** What is in a tarball: its folders, and one file as far as it can be shown. */
import type { ArchiveEntryAnswer } from '../../http/openapi/builds.ts'
import { numberedCode } from '../code.ts'
import {
  block,
  empty,
  facts,
  field,
  filters,
  heading,
  pager,
  section,
  size,
  state,
  table,
  theirs,
} from '../components.ts'
import { html } from '../html.ts'
import type { Html, HtmlValue } from '../html.ts'
import { languageOf } from './language-of.ts'
import { buildAddress, inAddress, wayToBuild } from './words.ts'

interface OfBuild {
  readonly app: string
  readonly build: number
}

/** An entry as it is listed: a folder says how many lie in it, and has no mode if only those make it one. */
export type ListedEntry = Omit<ArchiveEntryAnswer, 'mode'> & {
  readonly mode: string | null
  readonly holds: number | null
}

export interface FolderView {
  readonly build: OfBuild
  /** From the root; `''` is the root. */
  readonly folder: string
  /** What names are narrowed by; `''`: by nothing, and only what lies directly in the folder is listed. */
  readonly q: string
  readonly entries: readonly ListedEntry[]
  /** Of all pages. */
  readonly count: number
  readonly sizeBytes: number
  readonly next: string | null
}

export function filesPage(view: FolderView): Html {
  const { build, folder, q, entries, count, sizeBytes, next } = view
  const name = folder.split('/').at(-1) ?? ''
  const title = folder === '' ? html`Files of ${theirs(build.app)} build ${build.build}` : theirs(name)
  const narrowed = filters(
    filesAddress(build),
    html`${folder !== '' && html`<input type="hidden" name="in" value="${folder}" />`}
    ${field('Name', { name: 'q', value: q, type: 'search' })}`,
  )
  const what = q === '' ? entriesText(count) : `${entriesText(count)} with “${q}” in the name`
  return html`${heading(title, wayTo(build, folder.split('/').slice(0, -1)))} ${narrowed}
    <p class="beside">${theirs(what)}, ${size(sizeBytes)}</p>
    ${table('Files', columnsOf(view), entries, empty('Nothing here has such a name.'))} ${pager(next, 'More')}`
}

function entriesText(count: number): string {
  return `${String(count)} ${count === 1 ? 'entry' : 'entries'}`
}

const TYPES = { file: 'file', directory: 'folder', symlink: 'symbolic link', hardlink: 'hard link' } as const

function columnsOf({ build, folder, q }: FolderView) {
  const inside = folder === '' ? 0 : folder.length + 1
  return [
    {
      title: 'Name',
      cell: ({ path, type, target }: ListedEntry): HtmlValue => {
        const shown = q === '' ? (path.split('/').at(-1) ?? '') : path.slice(inside)
        const isFolder = type === 'directory'
        const address = isFolder ? folderAddress(build, path) : fileAddress(build, path)
        return html`<a href="${address}">${theirs(isFolder ? `${shown}/` : shown)}</a>${
            target !== undefined && html` <span class="beside">→ ${theirs(target)}</span>`
          }`
      },
    },
    {
      title: 'Type',
      cell: ({ type, holds }: ListedEntry) =>
        holds === null ? TYPES[type] : `folder of ${entriesText(holds)}`,
    },
    { title: 'Mode', cell: ({ mode }: ListedEntry) => mode !== null && html`<code>${mode}</code>` },
    {
      title: 'Size',
      cell: ({ type, sizeBytes }: ListedEntry) => type !== 'symlink' && size(sizeBytes),
      isNumber: true,
    },
  ]
}

/** What can be shown of a file. */
export type Preview =
  | { readonly kind: 'text'; readonly text: string; readonly isWhole: boolean; readonly isOdd: boolean }
  | { readonly kind: 'image'; readonly isShown: boolean }
  /** The first bytes. */
  | { readonly kind: 'bytes'; readonly head: Uint8Array }
  /** A symbolic link; null: the tarball does not have what it names. */
  | { readonly kind: 'link'; readonly leadsTo: { readonly path: string; readonly isFolder: boolean } | null }

export interface FileView {
  readonly build: OfBuild
  readonly entry: ArchiveEntryAnswer
  readonly preview: Preview
  /** How much of a text, and how large an image is shown. */
  readonly most: { readonly textBytes: number; readonly textLines: number; readonly imageBytes: number }
}

export function filePage(view: FileView): Html {
  const { build, entry, preview } = view
  const names = entry.path.split('/')
  const raw = rawAddress(build, entry.path)
  const download =
    preview.kind !== 'link' && html`<a role="button" class="plain" href="${raw}" download>Download</a>`
  return html`${heading(theirs(names.at(-1) ?? ''), wayTo(build, names.slice(0, -1)), download)}
  ${facts([
    ['Path', theirs(entry.path)],
    ['Type', TYPES[entry.type]],
    ['Mode', html`<code>${entry.mode}</code>`],
    ['Size', entry.type !== 'symlink' && size(entry.sizeBytes)],
    ['Leads to', entry.target !== undefined && linkOf(build, entry, preview)],
  ])}
  ${shownOf(view)}`
}

function linkOf(build: OfBuild, { type, target = '' }: ArchiveEntryAnswer, preview: Preview): Html {
  if (type === 'hardlink') return html`<a href="${fileAddress(build, target)}">${theirs(target)}</a>`
  const there = preview.kind === 'link' ? preview.leadsTo : null
  if (there === null) return html`${theirs(target)} <span class="beside">not in the tarball</span>`
  const address = there.isFolder ? folderAddress(build, there.path) : fileAddress(build, there.path)
  return html`<a href="${address}">${theirs(target)}</a>`
}

function shownOf({ build, entry, preview, most }: FileView): Html | null {
  if (preview.kind === 'text') return textOf(entry, preview, most)
  if (preview.kind === 'image') {
    if (!preview.isShown)
      return empty(`An image of more than ${mebibytes(most.imageBytes)} is not shown: download it.`)
    return html`<figure class="picture">
      <img src="${rawAddress(build, entry.path)}" alt="${entry.path}" />
    </figure>`
  }
  if (preview.kind === 'link') return null
  const { head } = preview
  if (entry.sizeBytes === 0) return empty('It is empty.')
  const shown = head.length < entry.sizeBytes ? `Its first ${String(head.length)} bytes` : 'Its bytes'
  return section('No text', block(hexDump(head), shown))
}

function textOf(
  { path }: ArchiveEntryAnswer,
  preview: Preview & { kind: 'text' },
  most: FileView['most'],
): Html {
  const { text, isWhole, isOdd } = preview
  if (text === '') return empty('It is empty.')
  return html`${
    isOdd &&
    html`<p>
      ${state('waiting', 'odd letters')} It has control or invisible letters, or is not UTF-8: it may mean
      another thing than it seems to.
    </p>`
  }
  ${!isWhole && html`<p>${state('quiet', 'beginning')} Shown is its first ${mebibytes(most.textBytes)}, or ${String(most.textLines)} lines: download it for the rest.</p>`}
  ${numberedCode(text, languageOf(path, text), path)}`
}

function mebibytes(bytes: number): string {
  return bytes < 2 ** 20 ? `${String(bytes / 2 ** 10)} KiB` : `${String(bytes / 2 ** 20)} MiB`
}

/** As hexdump(1) with `-C` writes it. */
function hexDump(bytes: Uint8Array): string {
  const lines: string[] = []
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)]
    const hex = row.map((byte) => byte.toString(16).padStart(2, '0')).join(' ')
    const letters = row
      .map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'))
      .join('')
    lines.push(`${at.toString(16).padStart(8, '0')}  ${hex.padEnd(47)}  |${letters}|\n`)
  }
  return lines.join('')
}

export function filesAddress(build: OfBuild): string {
  return `${buildAddress(build)}/files`
}

export function folderAddress(build: OfBuild, path: string): string {
  return path === ''
    ? filesAddress(build)
    : `${filesAddress(build)}?${new URLSearchParams({ in: path }).toString()}`
}

export function fileAddress(build: OfBuild, path: string): string {
  return `${filesAddress(build)}/${inAddress(path)}`
}

function rawAddress(build: OfBuild, path: string): string {
  return `/api/v1${buildAddress(build)}/raw/${inAddress(path)}`
}

function wayTo(build: OfBuild, folders: readonly string[]): readonly (readonly [string, string])[] {
  return [
    ...wayToBuild(build),
    [filesAddress(build), 'Files'],
    ...folders.map((name, at) => [folderAddress(build, folders.slice(0, at + 1).join('/')), name] as const),
  ]
}
