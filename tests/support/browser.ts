/** What a browser does for somebody: keeps the cookie, says where a request comes from, and knows the session's token. */
import type supertest from 'supertest'
import type { Grant } from '../../src/access/rights.ts'
import { Passwords } from '../../src/people/password-hash.ts'
import { addPerson } from '../../src/people/person.ts'
import type { PersonRow } from '../../src/records/people.ts'
import type { TestHub } from './test-hub.ts'

/** Hashes that cost nothing: what the hub's own cost is, its own test says. */
export const CHEAP = { passwords: new Passwords({ ln: 4, r: 8, p: 1 }) }

export const PASSWORD = 'horse staple battery'

export const ALL = { apps: null, environments: null } as const

/** Somebody who has an account and, unless it is null, a password. */
export async function addSomebody(
  { hub }: TestHub,
  name: string,
  grants: readonly Grant[] = [{ role: 'administrator', ...ALL }],
  password: string | null = PASSWORD,
): Promise<PersonRow> {
  const wanted = { name, fullName: null, grants, identity: null, by: 'a test', dryRun: false }
  const person = await addPerson(hub, wanted)
  if (password !== null)
    await hub.records.people.update(person.id, { password: await hub.passwords.hash(password) })
  return person
}

export interface Browser {
  /** As `supertest` has it, with the cookies that it got. */
  readonly agent: ReturnType<TestHub['as']>
  get(path: string): Promise<supertest.Response>
  /** A change that a page of the hub asks for. */
  send(method: Method, path: string, body?: object, headers?: Headers): Promise<supertest.Response>
  signIn(name: string, password?: string): Promise<supertest.Response>
  /** The token that pages of the session have. */
  csrf(): Promise<string>
}

type Method = 'post' | 'put' | 'patch' | 'delete'
type Headers = Readonly<Record<string, string>>

export function openBrowser(hub: TestHub): Browser {
  const agent = hub.as(null)
  const own = { Origin: hub.url, 'Sec-Fetch-Site': 'same-origin' }
  const csrf = async () => ((await agent.get('/api/v1/session')).body as { csrf?: string }).csrf ?? ''
  return {
    agent,
    csrf,
    get: async (path) => await agent.get(path),
    async send(method, path, body, headers) {
      const sent = headers ?? { ...own, 'X-CSRF-Token': await csrf() }
      return await agent[method](path).set(sent).send(body)
    },
    async signIn(name, password = PASSWORD) {
      return await agent.post('/api/v1/sign-in').set(own).send({ name, password })
    },
  }
}

/** Somebody new who has signed in. */
export async function signedInAs(hub: TestHub, name: string, grants?: readonly Grant[]): Promise<Browser> {
  await addSomebody(hub, name, grants)
  const browser = openBrowser(hub)
  await browser.signIn(name)
  return browser
}
