/** `/tokens`: the list, making one, revoking one. For administrators. */
import { Router } from 'express'
import type { Request, Response } from 'express'
import { ROLES } from '../../access/rights.ts'
import { createToken, revokeToken } from '../../access/tokens.ts'
import type { Hub } from '../../hub.ts'
import type { TokenRow } from '../../records/tokens.ts'
import { madeTokenPage, tokensPage } from '../../web/pages/token-page.ts'
import { authorize } from '../auth.ts'
import { tokenJson } from '../representations.ts'
import { pageRequest, parameter, query } from '../request.ts'
import { tokenFilterOf, wantedToken } from '../token-routes.ts'
import {
  answerPage,
  changeByForm,
  fieldsOf,
  nextPage,
  orShowAgain,
  readForm,
  requireVisitor,
  visitorOf,
} from './frame.ts'
import type { Refusal } from './frame.ts'

/** Nodes have one each, made and changed by themselves. */
const ALL_BUT_NODES = ROLES.filter((role) => role !== 'node')

export function tokenPages(hub: Hub): Router {
  const routes = Router()
  routes.get('/tokens', requireVisitor, async (request, response) => {
    await answerTokens(hub, request, response)
  })
  const again = async (request: Request, response: Response, refused: Refusal) => {
    await answerTokens(hub, request, response, refused)
  }
  routes.post('/tokens', requireVisitor, readForm(hub), async (request: Request, response: Response) => {
    await orShowAgain(
      async () => {
        const { token } = await wantedToken(hub, response, tokenOfForm(fieldsOf(request)))
        const { secret, row } = await createToken(hub, token)
        const content = madeTokenPage(tokenJson(row), secret, hub.config.publicUrl, hub.clock.now())
        answerPage(request, response, { title: 'A new token', section: 'tokens', status: 201 }, content)
      },
      async (refused) => {
        await again(request, response, refused)
      },
    )
  })
  routes.post(
    '/tokens/:token/revoke',
    ...changeByForm(
      hub,
      async (request, response) => {
        authorize(response, { to: 'administer' })
        await revokeToken(hub, parameter(request, 'token'))
        return ['/tokens', 'revoked']
      },
      again,
    ),
  )
  return routes
}

async function answerTokens(
  hub: Hub,
  request: Request,
  response: Response,
  refused: Refusal = {},
): Promise<void> {
  authorize(response, { to: 'administer' })
  const state = query(request, 'state') ?? 'good'
  const [role, person] = [query(request, 'role'), query(request, 'person')]
  const wanted = await tokenFilterOf(hub, { role, person, state: state === 'all' ? null : state })
  const filter = { ...wanted, roles: wanted.roles ?? ALL_BUT_NODES }
  const page = await hub.records.tokens.list(pageRequest(request), filter, 'newest')
  const content = tokensPage({
    tokens: page.items.map(tokenJson),
    owners: await ownersOf(hub, page.items),
    next: nextPage(request, page.nextCursor),
    filter: { role: role ?? '', state, person: person ?? '' },
    roles: ROLES,
    environments: hub.config.environments.map(({ name }) => name),
    csrf: visitorOf(response)?.csrf ?? '',
    now: hub.clock.now(),
  })
  answerPage(request, response, { title: 'Tokens', section: 'tokens', ...refused }, content)
}

/** The people among who is behind them, by their id. */
async function ownersOf(
  { records }: Pick<Hub, 'records'>,
  tokens: readonly TokenRow[],
): Promise<ReadonlyMap<string, string>> {
  const ids = [...new Set(tokens.map(({ owner }) => owner))].filter((id) => id.startsWith('prs_'))
  const people = await Promise.all(ids.map(async (id) => await records.people.find(id)))
  return new Map(people.flatMap((person) => (person ? [[person.id, person.name]] : [])))
}

/** As the API has it: what is not said of it is left out. */
function tokenOfForm({
  csrf: _csrf,
  noCommands,
  apps,
  environments,
  ...fields
}: ReturnType<typeof fieldsOf>) {
  return {
    ...fields,
    ...(apps !== undefined && { apps: namesOf(apps) }),
    ...(environments !== undefined && { environments: namesOf(environments) }),
    ...(noCommands === 'true' && { commands: false }),
  }
}

/** Names as people write them into a field: with blanks or commas between them; null: none. */
export function namesOf(text: string | undefined): readonly string[] | null {
  const names = (text ?? '').split(/[\s,]+/).filter((name) => name !== '')
  return names.length === 0 ? null : names
}
