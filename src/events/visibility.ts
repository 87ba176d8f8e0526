/** Who sees which events: the one table. */
import { may, sightOf } from '../access/rights.ts'
import type { Principal } from '../access/rights.ts'
import type { ChangeType } from '../audit/changes.ts'
import type { Config } from '../config.ts'
import type { AuditRow } from '../records/audit.ts'

type Kind = ChangeType extends infer Type ? (Type extends `${infer Word}.${string}` ? Word : never) : never

type Audience = 'build' | 'release' | 'environment' | 'inventory' | 'node' | 'administration'

/** Of each kind of change (the word before the dot of its type), whose business it is. */
export const AUDIENCES: Readonly<Record<Kind, Audience>> = {
  app: 'build',
  build: 'build',
  check: 'build',
  promotion: 'release',
  release: 'release',
  hold: 'release',
  yank: 'release',
  pin: 'build',
  policy: 'environment',
  retention: 'administration',
  overlay: 'environment',
  node: 'inventory',
  restore_point: 'node',
  rollback: 'node',
  environment_rollback: 'administration',
  token: 'administration',
  person: 'administration',
  key: 'administration',
  trust: 'administration',
  webhook: 'administration',
}

type About = Pick<AuditRow, 'type' | 'app' | 'environment' | 'node'>
type Rule = (principal: Principal, about: About, environments: readonly string[]) => boolean

const RULES: Readonly<Record<Audience, Rule>> = {
  /** Who sees each build of the app, released or not. */
  build: (principal, { app }) =>
    sightOf(principal).some(
      ({ apps, environments }) =>
        environments === null && (apps === null || (app !== null && apps.includes(app))),
    ),
  /** Who sees the app where it is: anywhere, if it is about all environments. */
  release: (principal, { app, environment }, environments) =>
    app !== null &&
    (environment === null ? environments : [environment]).some((name) =>
      may(principal, { to: 'see', app, environment: name }),
    ),
  environment: (principal, { environment }) =>
    environment !== null && may(principal, { to: 'read', environment }),
  inventory: (principal, { environment }) =>
    environment !== null && may(principal, { to: 'see nodes', environment }),
  /** The node itself. */
  node: (principal, { node }) => node !== null && may(principal, { to: 'act as node', node }),
  administration: (principal) => may(principal, { to: 'administer' }),
}

/** Whether it is for administrators only, which nobody gets without asking for it. */
export function isAdministration(type: string): boolean {
  return audienceOf(type) === 'administration'
}

/** Whether the asker may know of a change. What the table does not name, administrators see. */
export function maySee({ environments }: Pick<Config, 'environments'>, principal: Principal, about: About) {
  const names = environments.map(({ name }) => name)
  return RULES[audienceOf(about.type)](principal, about, names)
}

function audienceOf(type: string): Audience {
  const [kind = ''] = type.split('.', 1)
  return Object.hasOwn(AUDIENCES, kind) ? AUDIENCES[kind as Kind] : 'administration'
}
