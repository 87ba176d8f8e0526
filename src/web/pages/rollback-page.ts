/** Sending a node back: what it would mean, and then, with the node's name typed, doing it. */
import type { RollbackPreview } from '../../nodes/roll-back.ts'
import { action, choice, facts, field, heading, section, state, theirs, time } from '../components.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'
import { nodeAddress } from './words.ts'

export interface ShownRollback {
  readonly wish: {
    readonly node: string
    readonly app: string
    /** null: the newest complete one, of which there is none. */
    readonly point: string | null
    readonly withDump: boolean
    readonly force: boolean
  }
  /** null: as it is wished it is refused. */
  readonly preview: RollbackPreview | null
  /** Empty: no form can be sent. */
  readonly csrf: string
  readonly now: Date
}

export function rollbackPage({ wish, preview, csrf, now }: ShownRollback): Html {
  const { node, app } = wish
  const address = nodeAddress(node)
  const way = [
    ['/nodes', 'Nodes'],
    [address, node],
  ] as const
  return html`${heading(html`Roll back ${theirs(app)} on ${theirs(node)}`, way)}
  ${section('How', options(wish, `${address}/rollback`))}
  ${preview && section('What would happen', previewed(wish, preview, now))}
  ${preview && csrf !== '' && section('Do it', confirmation(wish, `${address}/rollback`, csrf))}`
}

function options({ app, point, withDump, force }: ShownRollback['wish'], address: string): Html {
  return html`<form class="filters" method="get" action="${address}">
    <input type="hidden" name="app" value="${app}" />
    <input type="hidden" name="restorePoint" value="${point ?? ''}" />
    ${choice(
      'Data',
      'withDump',
      [
        ['', 'left alone'],
        ['true', 'load the dump'],
      ],
      withDump ? 'true' : '',
    )}
    ${choice(
      'Schema',
      'force',
      [
        ['', 'must allow it'],
        ['true', 'force it'],
      ],
      force ? 'true' : '',
    )}
    <button type="submit" class="plain">Preview</button>
  </form>`
}

function previewed(
  { point, withDump, force }: ShownRollback['wish'],
  preview: RollbackPreview,
  now: Date,
): Html {
  const { from, to, takenAt, dumps, schemaRefusal } = preview
  return html`${facts([
      ['From', from === null ? 'nothing of it was reported' : theirs(from)],
      ['To', theirs(to)],
      ['Restore point', html`<code>${point}</code>`],
      ['Taken', time(takenAt, now)],
      ['Dumps', dumps.length === 0 ? 'none' : theirs(dumps.join(', '))],
      ['Schema', schemaRefusal === null ? 'nothing speaks against it' : theirs(schemaRefusal)],
    ])}
    ${withDump && html`<p>${state('urgent', 'loses data')} The dump is loaded: what was written since it was taken is lost.</p>`}
    ${force && html`<p>${state('urgent', 'forced')} The node goes back even where the schema forbids it.</p>`}
    <p>The node does it at its next contact, and judges once more by what it finds.</p>`
}

function confirmation(
  { node, app, point, withDump, force }: ShownRollback['wish'],
  address: string,
  csrf: string,
): Html {
  const fields = { app, restorePoint: point ?? '', withDump: String(withDump), force: String(force) }
  return action(
    { address, label: `Roll back ${app} on ${node}`, csrf, fields, tone: 'danger' },
    field('Name of the node', { name: 'confirm', help: `Type ${node} to confirm.`, isRequired: true }),
  )
}
