/** An overlay as of one of its revisions: its folders, and what stands in its files. */
import type { Revision } from '../../http/openapi/environments.ts'
import { code } from '../code.ts'
import { empty, facts, field, filters, heading, pager, size, table, theirs, time } from '../components.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'
import { languageOf } from './language-of.ts'
import { historyAddress } from './revision-page.ts'
import { environmentAddress, inAddress } from './words.ts'

export interface FolderItem {
  readonly name: string
  /** null: it is a folder. */
  readonly sizeBytes: number | null
}

interface Place {
  readonly revision: Revision
  /** The number of the newest one. */
  readonly newest: number
  /** From the overlay's top; empty: that itself. */
  readonly path: string
  readonly now: Date
}

export interface Folder extends Place {
  readonly items: readonly FolderItem[]
  readonly next: string | null
}

export interface OverlayFile extends Place {
  /** null: it is no text. */
  readonly text: string | null
  readonly sizeBytes: number
}

export function folderPage(folder: Folder): Html {
  const { revision, path, items, next } = folder
  const columns = [
    {
      title: 'Name',
      cell: ({ name, sizeBytes }: FolderItem) => {
        const address = treeAddress(revision, path === '' ? name : `${path}/${name}`)
        return html`<a href="${address}">${theirs(sizeBytes === null ? `${name}/` : name)}</a>`
      },
    },
    {
      title: 'Size',
      cell: ({ sizeBytes }: FolderItem) => (sizeBytes === null ? 'folder' : size(sizeBytes)),
      isNumber: true,
    },
  ]
  const nothing = empty('Nothing stood in it.')
  return html`${frame(folder)} ${table('Files and folders', columns, items, nothing)}
  ${pager(next, 'More files')}`
}

export function overlayFilePage(file: OverlayFile): Html {
  const { revision, path, text, sizeBytes } = file
  const raw = `/api/v1/environments/${revision.environment}/revisions/${String(revision.revision)}/files/${inAddress(path)}`
  return html`${frame(file)}
    <p class="beside">${size(sizeBytes)} · <a href="${raw}">as it is</a></p>
    ${text === null ? html`<p>It is no text.</p>` : code(text, languageOf(path, text), path)}`
}

/** What an overlay has besides are lists of words. */
function frame(place: Place): Html {
  const { revision, path, now } = place
  const { environment, publishedAt, message } = revision
  const number = String(revision.revision)
  const way = [
    ['/environments', 'Environments'],
    [environmentAddress(environment), environment],
    [historyAddress(environment), 'Overlay'],
    [`${historyAddress(environment)}/${number}`, `Revision ${number}`],
    ...steps(revision, path),
  ] as const
  const name = path === '' ? 'Files' : path.slice(path.lastIndexOf('/') + 1)
  return html`${heading(theirs(name), way)}
  ${facts([
    ['As of revision', html`<a href="${historyAddress(environment)}/${number}">${number}</a>`],
    ['Which published', theirs(message.split('\n', 1)[0] ?? '')],
    ['Published', time(publishedAt, now)],
    ['Look at', neighbours(place)],
  ])}
  ${asOf(environment, path, publishedAt)}`
}

/** The folders above, the overlay's top first. */
function steps(revision: Revision, path: string): readonly (readonly [string, string])[] {
  if (path === '') return []
  const above = path.split('/').slice(0, -1)
  return [
    [treeAddress(revision, ''), 'Files'],
    ...above.map((name, at) => [treeAddress(revision, above.slice(0, at + 1).join('/')), name] as const),
  ]
}

/** The same place one revision before and after. */
function neighbours({ revision, newest, path }: Place): Html {
  const { revision: number } = revision
  const places = [
    [number - 1, 'the revision before', number > 1],
    [number + 1, 'the one after', number < newest - 1],
    [newest, 'the newest', number < newest],
  ] as const
  const shown = places.filter(([, , isThere]) => isThere)
  if (shown.length === 0) return html`There is no other.`
  return html`${shown.map(([to, word], at) => html`${at > 0 && ' · '}<a href="${treeAddress({ ...revision, revision: to }, path)}">${word}</a>`)}`
}

/** Leads to the files of another revision, by its number or as of a time. */
export function asOf(environment: string, path = '', moment = ''): Html {
  return filters(
    `${environmentAddress(environment)}/tree`,
    html`${path !== '' && html`<input type="hidden" name="path" value="${path}" />`}
    ${field('As of (UTC)', { name: 'at', type: 'datetime-local', value: moment.slice(0, 16) })}
    ${field('Or revision', { name: 'revision', type: 'number' })}`,
  )
}

/** Where the files of a revision are. */
export function treeAddress(
  { environment, revision }: Pick<Revision, 'environment' | 'revision'>,
  path: string,
): string {
  const top = `${historyAddress(environment)}/${String(revision)}/tree`
  return path === '' ? top : `${top}/${inAddress(path)}`
}
