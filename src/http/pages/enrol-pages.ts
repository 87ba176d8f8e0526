/** `/nodes/enrol`: an administrator makes a token for a machine, and sees it come. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { createToken } from '../../access/tokens.ts'
import { timestamp } from '../../clock.ts'
import { HubError } from '../../errors.ts'
import type { Hub } from '../../hub.ts'
import { readStatuses } from '../../nodes/read-status.ts'
import type { TokenRow } from '../../records/tokens.ts'
import { enrolmentPage, enrolPage } from '../../web/pages/enrol-page.ts'
import type { EnrolWords } from '../../web/pages/enrol-page.ts'
import { authorize } from '../auth.ts'
import { nodeStatusJson } from '../representations.ts'
import { query } from '../request.ts'
import { wantedToken } from '../token-routes.ts'
import { answerPage, fieldsOf, orShowAgain, readForm, requireVisitor, visitorOf } from './frame.ts'
import type { Refusal } from './frame.ts'

export function enrolPages(hub: Hub): Router {
  const routes = Router()
  routes.get('/nodes/enrol', requireVisitor, async (request, response) => {
    authorize(response, { to: 'administer' })
    const token = query(request, 'token')
    const environment = query(request, 'environment') ?? hub.config.environments[0]?.name ?? ''
    const words = { environment, node: query(request, 'name') ?? '', expiresIn: '1h' }
    if (token === null) answerForm(hub, request, response, words)
    else await answerEnrolment(hub, request, response, await enrolmentToken(hub, token), null)
  })
  routes.post('/nodes/enrol', requireVisitor, readForm(hub), async (request: Request, response: Response) => {
    authorize(response, { to: 'administer' })
    const { environment = '', node = '', expiresIn = '1h' } = fieldsOf(request)
    await orShowAgain(
      async () => {
        const name = `enrolment of ${node === '' ? `a node of ${environment}` : node}`.slice(0, 64)
        const said = { name, role: 'enrol', environment, node: node === '' ? null : node, expiresIn }
        const { token } = await wantedToken(hub, response, said)
        const { secret, row } = await createToken(hub, token)
        // The answer itself shows it: an address with it would be kept by the browser and by proxies.
        await answerEnrolment(hub, request, response, row, secret)
      },
      (refusal) => {
        answerForm(hub, request, response, { environment, node, expiresIn }, refusal)
      },
    )
  })
  return routes
}

function answerForm(
  hub: Hub,
  request: Request,
  response: Response,
  words: EnrolWords,
  refusal?: Refusal,
): void {
  const environments = hub.config.environments.map(({ name }) => name)
  const content = enrolPage({ environments, words, csrf: visitorOf(response)?.csrf ?? '' })
  answerPage(request, response, { title: 'Enrol a node', section: 'nodes', ...refusal }, content)
}

/** @throws {HubError} `token.unknown`, also for one that enrols nobody. */
async function enrolmentToken({ records }: Pick<Hub, 'records'>, id: string): Promise<TokenRow> {
  const token = await records.tokens.find(id)
  if (token?.role === 'enrol') return token
  throw new HubError(
    'token.unknown',
    `there is no enrolment with the token ${JSON.stringify(id.slice(0, 100))}`,
  )
}

async function answerEnrolment(
  hub: Hub,
  request: Request,
  response: Response,
  { id, environments, node, expiresAt, revokedAt }: TokenRow,
  secret: string | null,
): Promise<void> {
  const [environment = ''] = JSON.parse(environments ?? '[]') as string[]
  const arrived = await hub.records.nodes.enrolledWith(id)
  const [status] = arrived ? await readStatuses(hub, [arrived]) : []
  const isEnded = revokedAt !== null || (expiresAt !== null && expiresAt <= timestamp(hub.clock.now()))
  const content = enrolmentPage({
    ...{ environment, node, tokenId: id, secret, hubUrl: hub.config.publicUrl },
    arrived: status ? nodeStatusJson(status) : null,
    isOver: isEnded && arrived === undefined,
    fingerprint: hub.overlayKeys.current.fingerprint,
  })
  answerPage(request, response, { title: 'Enrol a node', section: 'nodes' }, content)
}
