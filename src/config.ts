/**
 * Settings: from the table in `settings.ts` one frozen object is made at start. Environment variables win over
 * `portage-hub.config.yaml` (or the file in `HUB_CONFIG`), which wins over the defaults. Every fault is reported at
 * once. Nobody else reads the process's environment.
 */
import { readFileSync } from 'node:fs'
import { parse as parseYaml } from 'yaml'
import type { z } from 'zod'
import { HubError } from './errors.ts'
import { SETTINGS } from './settings.ts'
import type { SettingName } from './settings.ts'

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>

/** The settings that hold, frozen. `publicUrl` has no slash at its end. */
export type Config = Readonly<{ [Name in SettingName]: z.infer<(typeof SETTINGS)[Name]['schema']> }> & {
  readonly publicUrl: string
}

export interface LoadedConfig {
  readonly config: Config
  /** Where each value comes from: `default`, `HUB_PORT`, or the file's path. */
  readonly sources: Readonly<Record<SettingName, string>>
}

/**
 * Reads and checks the settings.
 * @throws {HubError} `config.invalid`, its detail listing every fault, one a line.
 */
export function loadConfig(env: Environment = process.env): LoadedConfig {
  const faults: string[] = []
  const file = readConfigFile(env['HUB_CONFIG'], faults)
  const values: Record<string, unknown> = {}
  const sources: Record<string, string> = {}
  for (const [name, setting] of Object.entries(SETTINGS)) {
    const fromEnv = valueOf(env, setting, faults)
    const fromFile = file.values[name]
    const given = fromEnv?.value ?? fromFile
    sources[name] = given === undefined ? 'default' : (fromEnv?.variable ?? file.path)
    const result = (setting.schema as z.ZodType).safeParse(given === undefined ? setting.default : given)
    if (result.success) values[name] = result.data
    else
      faults.push(...result.error.issues.map((issue) => faultLine(name, setting, sources[name] ?? '', issue)))
  }
  faults.push(...crossChecks(values as Config))
  if (faults.length > 0) throw new HubError('config.invalid', faults.join('\n'), { faults })
  return { config: finish(values as Config), sources: sources as LoadedConfig['sources'] }
}

interface Given {
  readonly variable: string
  readonly value: string
}

/** A secret may stand in a file that a variable names, as credentials of systemd and of containers do: `HUB_SMTP_URL_FILE`. */
function valueOf(
  env: Environment,
  setting: { readonly env: string; readonly secret?: boolean },
  faults: string[],
): Given | undefined {
  const value = env[setting.env] ?? ''
  const variable = `${setting.env}_FILE`
  const path = (setting.secret === true ? env[variable] : undefined) ?? ''
  if (value !== '' && path !== '') faults.push(`${setting.env} and ${variable}: give one of both`)
  if (value !== '') return { variable: setting.env, value }
  if (path === '') return undefined
  try {
    return { variable, value: readFileSync(path, 'utf8').replace(/\r?\n$/, '') }
  } catch (error) {
    faults.push(`${variable}: ${path} cannot be read: ${(error as Error).message}`)
    return undefined
  }
}

function faultLine(name: string, setting: { env: string }, source: string, issue: z.core.$ZodIssue): string {
  const path = [name, ...issue.path.map(String)].join('.')
  return `${path} (${source === setting.env ? setting.env : `${source}; variable ${setting.env}`}): ${issue.message}`
}

function readConfigFile(
  named: string | undefined,
  faults: string[],
): { path: string; values: Record<string, unknown> } {
  const path = named ?? 'portage-hub.config.yaml'
  // Set and empty: no file, whatever lies in the folder.
  if (path === '') return { path, values: {} }
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (named !== undefined) faults.push(`HUB_CONFIG: ${path} cannot be read: ${(error as Error).message}`)
    return { path, values: {} }
  }
  let values: unknown
  try {
    values = parseYaml(text) ?? {}
  } catch (error) {
    faults.push(`${path} is not YAML: ${(error as Error).message}`)
    return { path, values: {} }
  }
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    faults.push(`${path} must be a list of "name: value" lines`)
    return { path, values: {} }
  }
  for (const name of Object.keys(values)) {
    if (!Object.hasOwn(SETTINGS, name)) faults.push(`${path}: there is no setting ${JSON.stringify(name)}`)
  }
  return { path, values: values as Record<string, unknown> }
}

function crossChecks(config: Config): string[] {
  const faults: string[] = []
  if ((config.smtpUrl === null) !== (config.mailFrom === null))
    faults.push('HUB_SMTP_URL and HUB_MAIL_FROM go together')
  if (config.smtpTls === 'none' && config.smtpUrl?.startsWith('smtps:'))
    faults.push('HUB_SMTP_TLS is none, and HUB_SMTP_URL asks for TLS')
  if ((config.tlsCert === null) !== (config.tlsKey === null))
    faults.push('HUB_TLS_CERT and HUB_TLS_KEY go together')
  const names = Array.isArray(config.environments) ? config.environments.map(({ name }) => name) : []
  for (const name of Array.isArray(config.anonymousRead) ? config.anonymousRead : []) {
    if (!names.includes(name))
      faults.push(`anonymousRead (HUB_ANONYMOUS_READ): there is no environment "${name}"`)
  }
  if (typeof config.oidcIssuer === 'string' && config.oidcClientId === null)
    faults.push('HUB_OIDC_ISSUER needs HUB_OIDC_CLIENT_ID: as whom the provider knows the hub')
  for (const [group, grants] of Object.entries((config.oidcGroups as Config['oidcGroups'] | undefined) ?? {}))
    for (const name of grants.flatMap((grant) => ('environments' in grant ? (grant.environments ?? []) : [])))
      if (!names.includes(name))
        faults.push(`oidcGroups.${group} (HUB_OIDC_GROUPS): there is no environment "${name}"`)
  return faults
}

function finish(config: Config): Config {
  const scheme = config.tlsCert === null ? 'http' : 'https'
  const host = ownAddress(config.host)
  const publicUrl = (config.publicUrl as string | null) ?? `${scheme}://${host}:${String(config.port)}`
  return Object.freeze({ ...config, publicUrl: publicUrl.replace(/\/+$/, '') })
}

/** What this host reaches itself by; `0.0.0.0` and `::` are all of its addresses and none that one can ask. */
function ownAddress(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}

/** What the command line takes from its environment. */
export interface ClientSettings {
  readonly url: string
  readonly token: string | null
  /** Where programs keep what they remember between runs (XDG Base Directory); null where there is no such place. */
  readonly stateFolder: string | null
  /** Of the CI job that runs the command: the token that says which it is, or where GitHub Actions gives one. */
  readonly identity: {
    readonly token: string | null
    readonly requestUrl: string | null
    readonly requestToken: string | null
  }
  /** Of the CI job that runs the command, as Jenkins, GitHub Actions and GitLab name them; null where unknown. */
  readonly ci: { readonly commit: string | null; readonly branch: string | null; readonly url: string | null }
}

export function clientSettings(env: Environment = process.env): ClientSettings {
  const first = (...names: readonly string[]): string | null =>
    names.map((name) => env[name]?.trim() ?? '').find((value) => value !== '') ?? null
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: run } = env
  const githubUrl = server && repository && run ? `${server}/${repository}/actions/runs/${run}` : null
  return {
    url: first('HUB_URL') ?? 'http://127.0.0.1:8080',
    token: first('HUB_TOKEN'),
    stateFolder: first('XDG_STATE_HOME') ?? (env['HOME'] ? `${env['HOME']}/.local/state` : null),
    identity: {
      token: first('HUB_OIDC_TOKEN'),
      requestUrl: first('ACTIONS_ID_TOKEN_REQUEST_URL'),
      requestToken: first('ACTIONS_ID_TOKEN_REQUEST_TOKEN'),
    },
    ci: {
      commit: first('GIT_COMMIT', 'GITHUB_SHA', 'CI_COMMIT_SHA'),
      branch: first('BRANCH_NAME', 'GIT_BRANCH', 'GITHUB_REF_NAME', 'CI_COMMIT_REF_NAME'),
      url: first('BUILD_URL', 'CI_JOB_URL') ?? githubUrl,
    },
  }
}
