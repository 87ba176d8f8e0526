/** Who acts in a demo and what each can do: a CI, people with roles, and nodes. All of it goes through the hub's API. */
import { DEMO_APPS, treeOf } from './apps.ts'
import type { DemoApp } from './apps.ts'
import type { DemoClient, Json } from './client.ts'
import { Random } from './random.ts'
import { SimNode } from './sim-node.ts'
import type { Surroundings } from './sim-node.ts'
import { tarGzOf } from './tarball.ts'
import { junit, sarif } from './test-reports.ts'

export type AppName = DemoApp['name']

/** Accounts that a demo makes besides the first administrator's. */
const DEMO_PEOPLE = [
  { name: 'maria', fullName: 'Maria Lindqvist', role: 'release-manager' },
  { name: 'tomas', fullName: 'Tomas Novak', role: 'approver' },
  { name: 'chen', fullName: 'Chen Wei', role: 'developer' },
  { name: 'lena', fullName: 'Lena Fischer', role: 'reader' },
] as const
type Acting = 'maria' | 'tomas'

/** What each simulated node installs. */
export const DEMO_NODES: readonly {
  readonly name: string
  readonly environment: string
  readonly apps: readonly AppName[]
}[] = [
  { name: 'sim-stage-1', environment: 'staging', apps: ['shop', 'billing'] },
  { name: 'sim-stage-2', environment: 'staging', apps: ['handbook', 'shop'] },
  { name: 'sim-web-1', environment: 'production', apps: ['shop'] },
  { name: 'sim-web-2', environment: 'production', apps: ['shop'] },
  { name: 'sim-web-3', environment: 'production', apps: ['shop'] },
  { name: 'sim-batch-1', environment: 'production', apps: ['billing'] },
  { name: 'sim-batch-2', environment: 'production', apps: ['billing'] },
  { name: 'sim-docs-1', environment: 'production', apps: ['handbook'] },
]

/** The stage of each check. */
const STAGES = { unit: 'commit', lint: 'commit', smoke: 'acceptance' } as const
export type CheckName = keyof typeof STAGES

export class Stage {
  readonly random: Random
  #admin: DemoClient
  readonly #around: Surroundings
  readonly #ci = new Map<string, DemoClient>()
  readonly #people = new Map<string, DemoClient>()
  readonly #nodes = new Map<string, SimNode>()

  constructor(admin: DemoClient, around: Surroundings) {
    this.#admin = admin
    this.#around = around
    this.random = around.random
  }

  async addPeople(): Promise<void> {
    await this.#admin.ask('POST', '/people', { name: 'admin', grants: [{ role: 'administrator' }] })
    this.#admin = await this.#client({ name: 'admin', role: 'administrator', person: 'admin' })
    for (const { role, ...person } of DEMO_PEOPLE) {
      await this.#admin.ask('POST', '/people', { ...person, grants: [{ role }] })
      // What they do in the story they do at a terminal: with tokens of their own.
      if (role === 'release-manager' || role === 'approver')
        this.#people.set(person.name, await this.#client({ name: person.name, role, person: person.name }))
    }
    for (const { name } of DEMO_APPS)
      this.#ci.set(name, await this.#client({ name: `ci of ${name}`, role: 'developer', apps: [name] }))
  }

  /** A link by which somebody signs in once. */
  async signInLink(person: string): Promise<string> {
    return String((await this.#admin.ask('POST', `/people/${person}/link`, { expiresIn: '1d' }))['link'])
  }

  async describeApps(): Promise<void> {
    for (const { name, description } of DEMO_APPS)
      await this.#admin.ask('PATCH', `/apps/${name}`, { description })
  }

  async setPolicy(environment: string, policy: object): Promise<void> {
    await this.#admin.ask('PUT', `/environments/${environment}/policy`, policy)
  }

  async addWebhook(webhook: object): Promise<void> {
    await this.#admin.ask('POST', '/webhooks', webhook)
  }

  async putFile(environment: string, path: string, text: string): Promise<void> {
    await this.#admin.put(`/environments/${environment}/files/${path}`, Buffer.from(text))
  }

  async enrol(environment: string): Promise<void> {
    for (const { name, ...node } of DEMO_NODES.filter((one) => one.environment === environment)) {
      const answer = await this.#admin.ask('POST', '/tokens', {
        ...{
          name: `enrol ${name}`,
          role: 'enrol',
          environment: node.environment,
          node: name,
          expiresIn: '1h',
        },
      })
      const machine = { name, environment, token: String(answer['token']) }
      // Nodes act side by side: each has chances of its own, whoever comes first.
      const around = { ...this.#around, random: new Random(this.random.whole(0, 2 ** 31)) }
      this.#nodes.set(name, await SimNode.enrol(machine, this.#admin, around))
    }
  }

  /** Uploads a build as its CI does: the tarball, and where it comes from. */
  async push(name: AppName, build: number, version: string, news: readonly string[]): Promise<void> {
    const app = appOf(name)
    const form = new FormData()
    const fields = {
      ...{ build: String(build), version, commit: this.random.hex(40) },
      branch: version.includes('-') ? 'next' : 'main',
      ciUrl: `https://ci.acme.example/job/${name}/${String(build)}`,
    }
    for (const [field, value] of Object.entries(fields)) form.set(field, value)
    const bytes = tarGzOf(treeOf(app, { build, version, news }))
    form.set('tarball', new Blob([new Uint8Array(bytes)]), `${name}.tar.gz`)
    await this.#ciOf(name).ask('POST', `/apps/${name}/builds`, form)
  }

  /** What a check of the CI found; with `failing`, so many of its tests failed. */
  async check(name: AppName, build: number, check: CheckName, failing = 0): Promise<void> {
    const form = new FormData()
    form.set('stage', STAGES[check])
    form.set('name', check)
    form.set('url', `https://ci.acme.example/job/${name}/${String(build)}/${check}`)
    if (check === 'lint') {
      form.set('status', 'passed')
      form.set('sarif', new Blob([sarif(appOf(name))]), 'lint.sarif')
    } else form.set('junit', new Blob([junit(appOf(name), this.random, failing)]), `${check}.xml`)
    await this.#ciOf(name).ask('POST', `/apps/${name}/builds/${String(build)}/checks`, form)
  }

  /** Asks for a build in production. Gives the promotion's id. */
  async promote(name: AppName, build: number): Promise<string> {
    const wish = { app: name, build, environment: 'production' }
    return String((await this.#actor('maria').ask('POST', '/promotions', wish))['id'])
  }

  async approve(promotion: string, comment: string): Promise<void> {
    await this.#actor('tomas').ask('POST', `/promotions/${promotion}/approve`, { comment })
  }

  async reject(promotion: string, reason: string): Promise<void> {
    await this.#actor('tomas').ask('POST', `/promotions/${promotion}/reject`, { reason })
  }

  /** Asks, and approves: for what nobody doubts. */
  async release(name: AppName, build: number): Promise<void> {
    await this.approve(await this.promote(name, build), 'Tried it on staging.')
  }

  /** Holds all builds of an app in production. Gives the hold's id. */
  async hold(name: AppName, reason: string): Promise<string> {
    const path = '/environments/production/holds'
    return String((await this.#actor('maria').ask('POST', path, { app: name, reason }))['id'])
  }

  async lift(hold: string, reason: string): Promise<void> {
    await this.#actor('maria').ask('POST', `/holds/${hold}/lift`, { reason })
  }

  /** Takes a build back from production. */
  async withdraw(name: AppName, build: number, reason: string): Promise<void> {
    const releases = '/environments/production/releases'
    const { items } = await this.#admin.ask('GET', `${releases}?app=${name}`)
    const release = (items as readonly { id: string; build: number }[]).find((one) => one.build === build)
    await this.#actor('maria').ask('POST', `${releases}/${release?.id ?? ''}/withdraw`, { reason })
  }

  /** @param mark yank: held and masked everywhere; pin: kept for good. */
  async mark(name: AppName, build: number, mark: 'yank' | 'pin', reason: string): Promise<void> {
    await this.#actor('maria').ask('POST', `/apps/${name}/builds/${String(build)}/${mark}`, { reason })
  }

  /** Sends every node of production back to a build, which holds the newer ones; the nodes then do it. */
  async rollBackProduction(name: AppName, build: number, reason: string): Promise<void> {
    const wish = { environment: 'production', app: name, build, reason }
    await this.#admin.ask('POST', '/rollbacks', wish)
    const concerned = this.#nodesOf('production').filter((node) => appsOf(node).includes(name))
    await Promise.all(concerned.map(async (node) => await node.rollBack()))
  }

  /** The nodes sync and upgrade, but those in `except`. */
  async upgrade(environment: string, except: readonly string[] = []): Promise<void> {
    const awake = this.#nodesOf(environment).filter(({ name }) => !except.includes(name))
    await Promise.all(awake.map(async (node) => await node.upgrade(appsOf(node))))
  }

  async report(node: string): Promise<void> {
    await this.#nodes.get(node)?.report()
  }

  async rehearse(node: string, app: AppName): Promise<void> {
    this.#nodes.get(node)?.rehearse(app)
    await this.report(node)
  }

  async stateOf(promotion: string): Promise<string> {
    return String((await this.#admin.ask('GET', `/promotions/${promotion}`))['state'])
  }

  #nodesOf(environment: string): readonly SimNode[] {
    return [...this.#nodes.values()].filter((node) => node.environment === environment)
  }

  async #client(token: Json): Promise<DemoClient> {
    return this.#admin.as(String((await this.#admin.ask('POST', '/tokens', token))['token']))
  }

  #actor(name: Acting): DemoClient {
    return this.#people.get(name) ?? this.#admin
  }

  #ciOf(name: AppName): DemoClient {
    return this.#ci.get(name) ?? this.#admin
  }
}

function appOf(name: AppName): DemoApp {
  return DEMO_APPS.find((app) => app.name === name) as DemoApp
}

function appsOf({ name }: SimNode): readonly AppName[] {
  return DEMO_NODES.find((node) => node.name === name)?.apps ?? []
}
