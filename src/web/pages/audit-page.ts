/** The audit: every change as a sentence, with what it was before and after, and the state of the chain. */
import { CHANGES } from '../../audit/changes.ts'
import type { FollowedChain } from '../../audit/chain-watch.ts'
import type { ChainHead } from '../../audit/chain.ts'
import { pageOf } from '../../events/page-of.ts'
import { happeningOf } from '../../events/sentence.ts'
import type { AuditRecord } from '../../http/openapi/audit.ts'
import {
  action,
  choice,
  copyButton,
  empty,
  facts,
  field,
  filters,
  fold,
  heading,
  pager,
  section,
  state,
  table,
  theirs,
  time,
} from '../components.ts'
import { html } from '../html.ts'
import type { Html, HtmlValue } from '../html.ts'

export interface AuditView {
  /** Newest first. */
  readonly records: readonly AuditRecord[]
  /** What the address says, by the names that the API has for them. */
  readonly filter: Readonly<Record<string, string>>
  readonly older: string | null
  readonly newer: string | null
  /** Where all that the filters let through is to be had as a file. */
  readonly exported: string
  readonly environments: readonly string[]
  readonly chain: ChainState
  readonly csrf: string
  readonly now: Date
}

export interface ChainState {
  readonly head: ChainHead
  /** null: not since the hub started. */
  readonly last: Pick<FollowedChain, 'at' | 'head' | 'faults'> | null
  /** null: it is not being followed now. */
  readonly progress: { readonly done: number; readonly total: number } | null
}

/** So many breaks are shown; what is behind the first is seldom any better. */
const SHOWN_FAULTS = 10

export function auditPage(view: AuditView): Html {
  const { records, filter, older, newer, exported, chain, csrf, now } = view
  const download = html`<a role="button" class="plain" href="${exported}" download="audit.jsonl"
    >Export as JSON lines</a
  >`
  const isNarrowed = Object.keys(filter).length > 0
  const nothing = empty(
    isNarrowed ? 'Nothing in the audit is as the filters say.' : 'Nothing has been changed yet.',
  )
  return html`${heading('Audit', [], download)} ${chainPart(chain, csrf, now)}
  ${filters('/audit', filterFields(view))} ${records.length === 0 ? nothing : auditLog(records, now)}
  ${pager(older, 'Older', newer)}`
}

function filterFields({ filter, environments }: AuditView): Html {
  const value = (name: string) => filter[name] ?? ''
  const named = (name: string) => [name, name] as const
  // A time of day may stand in the address, and a field for days would not show it.
  const day = (label: string, name: string) =>
    field(label, { name, value: value(name), type: /T/.test(value(name)) ? 'text' : 'date' })
  return html`${field('Who', { name: 'actor', value: value('actor') })}
  ${choice('What', 'type', [['', 'everything'], ...Object.keys(CHANGES).sort().map(named)], value('type'))}
  ${field('App', { name: 'app', value: value('app') })}
  ${choice('Environment', 'environment', [['', 'all'], ...environments.map(named)], value('environment'))}
  ${field('Node', { name: 'node', value: value('node') })}
  ${field('Id', { name: 'subject', value: value('subject') })} ${day('From', 'since')}
  ${day('Before', 'until')}`
}

// ------------------------------------------------------------------------------------------------ the chain

/** Up to where the chain is known to be whole, and since when. */
function chainPart({ head, last, progress }: ChainState, csrf: string, now: Date): Html {
  const verify =
    csrf !== '' && progress === null && action({ address: '/audit/verify', label: 'Verify now', csrf })
  return html`<section class="verdict" id="chain" aria-labelledby="chain-heading">
    <div class="heading">
      <h2 id="chain-heading">Chain</h2>
      ${verify}
    </div>
    ${last !== null && last.faults.length > 0 ? broken(last, now) : whole(head, last, now)}
    ${
      progress !== null &&
      html`<p>
        ${state('waiting', 'being followed')} record ${count(progress.done)} of ${count(progress.total)}
      </p>`
    }
  </section>`
}

function whole(head: ChainHead, last: ChainState['last'], now: Date): Html {
  if (last === null)
    return html`<p>${state('quiet', 'not verified')} since this hub started. It has ${records(head.seq)}.</p>`
  const since = head.seq - last.head.seq
  const kept = `${String(last.head.seq)}:${last.head.hash}`
  return html`<p>
      ${state('good', 'whole')} up to record ${count(last.head.seq)}, verified
      ${time(last.at, now)}${since > 0 && html`; ${records(since)} came since`}.
    </p>
    <p class="beside">
      Its head is <code>${kept.slice(0, 24)}…</code> ${copyButton(kept)} Keep it where the hub cannot write:
      <code>portage-hub audit verify --head</code> takes it, and tells if anything before it was altered.
    </p>`
}

function broken({ faults, at }: NonNullable<ChainState['last']>, now: Date): Html {
  const first = faults[0]?.seq ?? 0
  const more = faults.length - SHOWN_FAULTS
  return html`<p>${state('bad', 'broken')} at record ${count(first)}, found ${time(at, now)}.</p>
    <ul>
      ${faults
        .slice(0, SHOWN_FAULTS)
        .map(({ seq, what }) => html`<li>Record ${count(seq)}: ${theirs(what)}.</li>`)}
      ${more > 0 && html`<li>and ${count(more)} more.</li>`}
    </ul>
    <p>
      Somebody, or a fault of the disk, changed the records beside the hub: what stands from there on proves
      nothing. Whatever is before record ${count(first)} still follows from its beginning.
    </p>
    <p class="next">
      Keep a copy of var/hub.db as it is, find out who could write to it, and compare it with an export or a
      backup from before; <code>portage-hub verify</code> says what else differs.
    </p>`
}

const count = (number: number): string => number.toLocaleString('en')
const records = (number: number): string => `${count(number)} record${number === 1 ? '' : 's'}`

// ------------------------------------------------------------------------------------------------ the records

/** Changes as sentences, each with its details. Other pages show the last few of what they are about. */
function auditLog(list: readonly AuditRecord[], now: Date): Html {
  return html`<ol class="log" aria-label="Changes">
    ${list.map(
      (record) =>
        html`<li id="${record.id}">
          <p class="when">${time(record.at, now)}</p>
          <div class="what">
            <p>${sentence(record)}</p>
            <p class="beside">
              by <a href="${byActor(record.actor)}">${theirs(record.actor)}</a>${
                record.reason !== null && html`: ${theirs(record.reason)}`
              }
            </p>
          </div>
          ${fold('Details', details(record), `Details of record ${String(record.seq)}`)}
        </li>`,
    )}
  </ol>`
}

function sentence(record: AuditRecord): Html {
  const words = theirs(happeningOf(record))
  const address = pageOf(record)
  return address === null ? words : html`<a href="${address}">${words}</a>`
}

function byActor(actor: string): string {
  return `/audit?actor=${encodeURIComponent(actor)}`
}

function details(record: AuditRecord): Html {
  const { seq, type, subject, environment, node, actorRole, actorId, address, requestId, hash } = record
  return html`${changed(record)}
  ${facts([
    ['Record', html`${count(seq)} <code>${record.id}</code>`],
    ['Kind', html`<a href="/audit?type=${type}">${type}</a>`],
    ['About', html`<a href="/audit?subject=${encodeURIComponent(subject)}">${theirs(subject)}</a>`],
    ['Environment', environment !== null && theirs(environment)],
    ['Node', node !== null && theirs(node)],
    ['As', theirs(actorRole)],
    ['Token or person', actorId !== null && html`<code>${actorId}</code>`],
    ['From', address !== null && theirs(address)],
    ['Request', requestId !== null && html`<code>${requestId}</code>`],
    ['Hash', html`<code title="${hash}">${hash.slice(0, 16)}…</code>`],
  ])}`
}

interface ChangedFact {
  readonly name: string
  readonly before: HtmlValue
  readonly after: HtmlValue
}

/** What was before and after, fact by fact. */
function changed({ before, after }: AuditRecord): Html | null {
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])]
  if (names.length === 0) return null
  const rows = names.map((name): ChangedFact => ({
    name,
    before: shown(before, name),
    after: shown(after, name),
  }))
  const columns = [
    { title: 'Fact', cell: ({ name }: ChangedFact) => theirs(name) },
    ...(before === null ? [] : [{ title: 'Before', cell: (fact: ChangedFact) => fact.before }]),
    ...(after === null ? [] : [{ title: 'After', cell: (fact: ChangedFact) => fact.after }]),
  ]
  return table('What changed', columns, rows, html``)
}

function shown(values: AuditRecord['before'], name: string): HtmlValue {
  if (values === null || !Object.hasOwn(values, name)) return html`<span class="none">–</span>`
  const value: unknown = values[name]
  if (value === null) return html`<span class="none">none</span>`
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return typeof value === 'object' ? html`<code>${text}</code>` : theirs(text)
}

/** What happened lately to something, on the page about it. */
export function recentChanges(heading: string, list: readonly AuditRecord[], all: string, now: Date): Html {
  const content =
    list.length === 0
      ? empty('Nothing yet.')
      : html`${auditLog(list, now)} ${pager(all, 'All of them in the audit')}`
  return section(heading, content)
}
