/** Making a machine a node: a token for it, the command to type there, and whether it has come. */
import type { NodeStatusAnswer } from '../../http/openapi/nodes.ts'
import { action, block, choice, field, heading, section, state, theirs } from '../components.ts'
import { html } from '../html.ts'
import type { Html } from '../html.ts'
import { nodeAddress } from './words.ts'

/** How long a token is good. */
const LIFETIMES = [
  ['1h', 'an hour'],
  ['1d', 'a day'],
  ['7d', 'a week'],
] as const

export interface EnrolWords {
  readonly environment: string
  readonly node: string
  readonly expiresIn: string
}

export interface EnrolForm {
  readonly environments: readonly string[]
  readonly words: EnrolWords
  readonly csrf: string
}

const WAY = [['/nodes', 'Nodes']] as const

export function enrolPage({ environments, words, csrf }: EnrolForm): Html {
  const names = environments.map((name) => [name, name] as const)
  const fields = html`${choice('Environment', 'environment', names, words.environment)}
  ${field('Name', {
    ...{ name: 'node', value: words.node },
    help: 'As the node is called, such as web1. Empty: the machine calls itself as its host name says.',
  })}
  ${choice('The token is good for', 'expiresIn', LIFETIMES, words.expiresIn)}`
  return html`${heading('Enrol a node', WAY)}
    <p>
      A node is a machine with Gentoo that gets its apps from the hub. It enrols once, with a token that is
      good for one machine.
    </p>
    ${
      csrf === ''
        ? html`<p>Sign in to make the token here.</p>`
        : html`<div class="narrow">
            ${action({ address: '/nodes/enrol', label: 'Make the token', csrf, tone: 'main' }, fields)}
          </div>`
    }`
}

export interface Enrolment {
  readonly environment: string
  /** The only name that the token is for; null: any. */
  readonly node: string | null
  readonly tokenId: string
  /** null: it was shown before. */
  readonly secret: string | null
  /** The node that came with the token; null: none yet. */
  readonly arrived: NodeStatusAnswer | null
  /** It is good for nothing any more, and nobody came with it. */
  readonly isOver: boolean
  /** Of the key that signs what machines believe of the hub. */
  readonly fingerprint: string
  readonly hubUrl: string
}

export function enrolmentPage(enrolment: Enrolment): Html {
  const { node, environment, secret } = enrolment
  const title = node === null ? html`Enrol a node of ${theirs(environment)}` : html`Enrol ${theirs(node)}`
  return html`${heading(title, [...WAY, ['/nodes/enrol', 'Enrol a node']])} ${arrivalPart(enrolment)}
  ${secret === null ? section('The command', html`<p>It was shown once, with the token in it.</p>`) : commandPart(enrolment, secret)}
  ${section('What happens next', NEXT)}`
}

function commandPart({ environment, node, fingerprint, hubUrl }: Enrolment, secret: string): Html {
  const named = node === null ? '' : ` --name ${node}`
  const script = `curl -fsS ${hubUrl}/enroll.sh | HUB_ENROL_TOKEN=${secret} sh -s -- --environment ${environment}${named}`
  const image = `hub-node enroll ${hubUrl} --environment ${environment}${named} --key ${fingerprint}`
  return section(
    'The command',
    html`<p>The token is in it, and is not shown again.</p>
      ${block(script, 'On the machine, as root')}
      ${block(image, 'Or, where hub-node is installed already: it asks for the token, and takes nothing that this key has not signed')}
      ${block(secret, 'The token alone')}`,
  )
}

const NEXT = html`<ol>
  <li>The script shows what it will write below /etc/portage, and asks before it does.</li>
  <li>The machine gets a token of its own; that of the enrolment is good for nothing any more.</li>
  <li>
    It syncs the overlay, checks its signature, and installs hub-node, which keeps restore points and reports.
  </li>
  <li>Its first report shows here, and from then on at its page.</li>
</ol>`

/** Asks again by itself when a node enrols, and while one that came has not reported, which no event tells. */
function arrivalPart(enrolment: Enrolment): Html {
  const address = `/nodes/enrol?token=${encodeURIComponent(enrolment.tokenId)}`
  if (enrolment.isOver || enrolment.arrived?.reportedAt)
    return html`<div id="arrival" role="status">${arrivalOf(enrolment)}</div>`
  return html`<div
      id="arrival"
      role="status"
      data-live="node.enrolled node.changed"
      hx-get="${address}"
      hx-select="#arrival"
      hx-trigger="hub:changed throttle:1s, every 10s"
      hx-swap="outerHTML"
    >
      ${arrivalOf(enrolment)}
    </div>
    <noscript><a href="${address}">See whether it has come</a></noscript>`
}

function arrivalOf({ arrived, isOver, node }: Enrolment): Html {
  if (arrived === null && isOver)
    return html`<p>
      ${state('bad', 'the token is over')} Nobody came with it. <a href="/nodes/enrol">Make another one</a>
    </p>`
  if (arrived === null)
    return html`<p>
      ${state('waiting', 'waiting')}
      ${node === null ? 'No machine has come yet.' : html`${theirs(node)} has not come yet.`}
    </p>`
  const link = html`<a href="${nodeAddress(arrived.name)}">${theirs(arrived.name)}</a>`
  return arrived.reportedAt === null
    ? html`<p>
        ${state('waiting', 'enrolled')} ${link} is a node now. Its first report comes after its first sync.
      </p>`
    : html`<p>${state('good', 'it reports')} ${link} is a node, and has reported.</p>`
}
