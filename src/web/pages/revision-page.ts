/** How an overlay came to be: its revisions, and what each of them changed. */
import type { Revision } from '../../http/openapi/environments.ts'
import type { FileDiff } from '../../overlays/diff-revision.ts'
import { unifiedDiff } from '../../overlays/unified-diff.ts'
import { diff, digest, empty, facts, heading, pager, section, table, theirs, time } from '../components.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'
import { environmentAddress } from './words.ts'

export interface RevisionList {
  readonly environment: string
  readonly revisions: readonly Revision[]
  readonly next: string | null
  readonly now: Date
}

export function revisionsPage({ environment, revisions, next, now }: RevisionList): Html {
  const way = wayTo(environment).slice(0, 2)
  return html`${heading(html`Overlay of ${theirs(environment)}`, way)} ${revisionTable(revisions, now)}
  ${pager(next)}`
}

export function revisionTable(revisions: readonly Revision[], now: Date): Html {
  const columns = [
    {
      title: 'Revision',
      cell: (one: Revision) => html`<a href="${revisionAddress(one)}">${one.revision}</a>`,
    },
    { title: 'What', cell: ({ message }: Revision) => theirs(message.split('\n', 1)[0] ?? '') },
    { title: 'By', cell: ({ author }: Revision) => theirs(author) },
    { title: 'Published', cell: ({ publishedAt }: Revision) => time(publishedAt, now) },
    { title: 'Commit', cell: ({ commit }: Revision) => digest(commit) },
  ]
  return table('Revisions of the overlay', columns, revisions, empty('Nothing was published here yet.'))
}

export interface ShownRevision {
  readonly revision: Revision
  readonly files: readonly FileDiff[]
  readonly now: Date
}

export function revisionPage({ revision, files, now }: ShownRevision): Html {
  const { environment, message, commit, parent, tree, author, publishedAt } = revision
  const allFiles = html`<a href="${historyAddress(environment)}/${revision.revision}/tree"
    >All files as of it</a
  >`
  return html`${heading(html`Revision ${revision.revision} of ${theirs(environment)}`, wayTo(environment), allFiles)}
  ${facts([
    ['What', theirs(message)],
    ['By', theirs(author)],
    ['Published', time(publishedAt, now)],
    ['Commit', digest(commit)],
    ['Parent', parent !== null && digest(parent)],
    ['Tree', digest(tree)],
  ])}
  ${section(`${String(files.length)} ${files.length === 1 ? 'file' : 'files'} changed`, files.map(fileDiff))}`
}

/** Of what is no text it is only said that it changed. */
function fileDiff({ path, action, before, after }: FileDiff): Html {
  const isText = (action === 'add' || before !== null) && (action === 'remove' || after !== null)
  if (isText) return diff(unifiedDiff(path, before, after), path)
  return html`<p>${theirs(path)} <span class="beside">${ACTIONS[action]}; no text</span></p>`
}

const ACTIONS = { add: 'added', change: 'changed', remove: 'removed' } as const

function revisionAddress({ environment, revision }: Revision): string {
  return `${historyAddress(environment)}/${String(revision)}`
}

export function historyAddress(environment: string): string {
  return `${environmentAddress(environment)}/revisions`
}

function wayTo(environment: string): readonly (readonly [string, string])[] {
  return [
    ['/environments', 'Environments'],
    [environmentAddress(environment), environment],
    [historyAddress(environment), 'Overlay'],
  ]
}
