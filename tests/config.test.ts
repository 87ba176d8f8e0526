import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { loadConfig } from '../src/config.ts'
import { SETTINGS } from '../src/settings.ts'
import type { Config, Environment } from '../src/config.ts'
import { HubError } from '../src/errors.ts'

function load(env: Environment = {}): Config {
  return loadConfig({ HUB_CONFIG: '', ...env }).config
}

/** Every fault of these settings. */
function faultsOf(env: Environment): readonly string[] {
  try {
    loadConfig({ HUB_CONFIG: '', ...env })
  } catch (error) {
    if (error instanceof HubError && error.code === 'config.invalid') return error.message.split('\n')
    throw error
  }
  return []
}

async function withFile<T>(text: string, use: (path: string) => T): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'portage-hub-config-'))
  try {
    const path = join(folder, 'hub.yaml')
    await writeFile(path, text)
    return use(path)
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('without settings there are defaults that work on one machine', () => {
  expect(load()).toMatchObject({
    host: '127.0.0.1',
    port: 8080,
    publicUrl: 'http://127.0.0.1:8080',
    databaseUrl: 'sqlite:var/hub.db',
    environments: [
      { name: 'staging', promote: 'automatic' },
      { name: 'production', promote: 'request' },
    ],
    anonymousRead: [],
    adminToken: null,
    keepReleases: 20,
  })
  expect(Object.isFrozen(load())).toBe(true)
})

test.each([
  ['45', 45],
  ['90s', 90],
  ['90m', 5400],
  ['24h', 86_400],
  ['7d', 604_800],
])('a time of %s is %i seconds', (text, seconds) => {
  expect(load({ HUB_UPLOAD_EXPIRES: text }).uploadExpiresSec).toBe(seconds)
})

test.each(['0', '-1h', '1w', 'soon', '400d'])('%s is no time', (text) => {
  expect(faultsOf({ HUB_UPLOAD_EXPIRES: text })).toEqual([
    'uploadExpiresSec (HUB_UPLOAD_EXPIRES): must be a time such as 90m, 24h or 7d, or a number of seconds',
  ])
})

test('every setting has a variable of its own, a default that holds and a meaning', () => {
  const variables = Object.values(SETTINGS).map(({ env }) => env)
  expect(new Set(variables).size).toBe(variables.length)
  for (const { env, meaning } of Object.values(SETTINGS)) {
    expect(env).toMatch(/^HUB_[A-Z_]+$/)
    expect(meaning).not.toBe('')
  }
})

describe('a variable', () => {
  test.each<[string, string, keyof Config, unknown]>([
    ['HUB_PORT', '0', 'port', 0],
    ['HUB_TRUST_PROXY', 'true', 'trustProxy', true],
    ['HUB_TRUST_PROXY', '0', 'trustProxy', false],
    ['HUB_PUBLIC_URL', 'https://hub.example/', 'publicUrl', 'https://hub.example'],
    ['HUB_PUBLIC_URL', 'https://hub.example/portage//', 'publicUrl', 'https://hub.example/portage'],
    ['HUB_HOST', '::1', 'publicUrl', 'http://[::1]:8080'],
    ['HUB_MAX_UPLOAD', '500MiB', 'maxUploadBytes', 500 * 2 ** 20],
    ['HUB_MAX_UPLOAD', '2 GiB', 'maxUploadBytes', 2 * 2 ** 30],
    ['HUB_MAX_UPLOAD', '1234', 'maxUploadBytes', 1234],
    ['HUB_KEYWORDS', 'amd64 ~arm64', 'keywords', ['amd64', '~arm64']],
    ['HUB_OVERLAY_MASTERS', 'gentoo, guru', 'masters', ['gentoo', 'guru']],
    ['HUB_ANONYMOUS_READ', 'staging', 'anonymousRead', ['staging']],
    ['HUB_PORT', '', 'port', 8080],
    [
      'HUB_ENVIRONMENTS',
      'dev:automatic qa production:request',
      'environments',
      [
        { name: 'dev', promote: 'automatic' },
        { name: 'qa', promote: 'request' },
        { name: 'production', promote: 'request' },
      ],
    ],
  ])('%s=%j', (variable, text, name, value) => {
    expect(load({ [variable]: text })[name]).toEqual(value)
  })

  test.each([
    ['HUB_PORT', 'x'],
    ['HUB_PORT', '65536'],
    ['HUB_PORT', '80.5'],
    ['HUB_TRUST_PROXY', 'perhaps'],
    ['HUB_PUBLIC_URL', 'hub.example'],
    ['HUB_PUBLIC_URL', 'ftp://hub.example'],
    ['HUB_PUBLIC_URL', 'https://user:word@hub.example'],
    ['HUB_PUBLIC_URL', "https://hub.example/'$(x)"],
    ['HUB_PUBLIC_URL', 'https://hub.example/?a=b'],
    ['HUB_MAX_UPLOAD', '0'],
    ['HUB_MAX_UPLOAD', '5 bananas'],
    ['HUB_MAX_UPLOAD', '-1'],
    ['HUB_KEYWORDS', '-*'],
    ['HUB_KEYWORDS', ' '],
    ['HUB_CATEGORY', 'App'],
    ['HUB_CATEGORY', '../x'],
    ['HUB_OVERLAY_PREFIX', 'my_hub'],
    ['HUB_ENVIRONMENTS', ' '],
    ['HUB_ENVIRONMENTS', 'archive'],
    ['HUB_ENVIRONMENTS', '../x'],
    ['HUB_ENVIRONMENTS', 'staging staging'],
    ['HUB_ENVIRONMENTS', 'staging:sometimes'],
    ['HUB_ANONYMOUS_READ', 'moon'],
    ['HUB_KEEP_RELEASES', '0'],
    ['HUB_DATABASE_URL', 'mysql://x'],
    ['HUB_BLOBS', 's3://x'],
    ['HUB_TLS_CERT', '/cert.pem'],
    ['HUB_LOG_LEVEL', 'loud'],
    ['HUB_MAIL_FROM', 'hub@acme.example'],
    ['HUB_SMTP_TLS', 'perhaps'],
    ['HUB_FREE_LICENSES', 'a;b'],
    ['HUB_CONFIG', '/nonexistent/hub.yaml'],
  ])('%s=%j is refused by its name', (variable, text) => {
    const faults = faultsOf({ [variable]: text })
    expect(faults).toHaveLength(1)
    expect(faults[0]).toContain(variable)
  })
})

test('every fault is told at once', () => {
  const faults = faultsOf({ HUB_PORT: 'x', HUB_MAX_UPLOAD: 'y', HUB_LOG_LEVEL: 'z', HUB_TLS_KEY: '/k' })
  expect(faults).toHaveLength(4)
  for (const name of ['HUB_PORT', 'HUB_MAX_UPLOAD', 'HUB_LOG_LEVEL', 'HUB_TLS_KEY'])
    expect(faults.join('\n')).toContain(name)
})

test('a fault does not tell a secret', () => {
  const secret = 's'.repeat(600)
  expect(faultsOf({ HUB_ADMIN_TOKEN: secret }).join('\n')).not.toContain('sss')
})

describe('the mail server', () => {
  const mail = (url: string, more: Readonly<Record<string, string>> = {}) => ({
    ...{ HUB_SMTP_URL: url, HUB_MAIL_FROM: 'hub@acme.example', ...more },
  })

  test.each([
    ...[
      'smtp://localhost',
      'smtps://mail.acme.example:465',
      'smtp://hub:p%40ss%2Fword@mail.acme.example:587/',
    ],
    ...['smtp://[::1]:25'],
  ])('may be %s', (url) => {
    expect(load(mail(url))).toMatchObject({ smtpUrl: url, smtpTls: 'required' })
  })

  test.each([
    ...[
      'mail.acme.example',
      'https://mail.acme.example',
      'smtp://',
      'smtp://hub@x.example',
      'smtp://:secret@x.example',
    ],
    ...[
      'smtp://x.example/?requireTLS=false',
      'smtp://x.example/path',
      'smtp://a:secret%zz@x.example',
      'smtp://x:y',
    ],
  ])('cannot be %s, and the fault does not repeat it', (url) => {
    const [fault = '', ...more] = faultsOf(mail(url))
    expect(more).toEqual([])
    expect(fault).toContain('HUB_SMTP_URL')
    expect(fault).not.toContain('secret')
  })

  test('asks for one thing', () => {
    expect(faultsOf(mail('smtps://x.example', { HUB_SMTP_TLS: 'none' }))).toEqual([
      'HUB_SMTP_TLS is none, and HUB_SMTP_URL asks for TLS',
    ])
    expect(faultsOf({ HUB_SMTP_URL: 'smtp://x.example' })).toEqual([
      'HUB_SMTP_URL and HUB_MAIL_FROM go together',
    ])
  })
})

describe('a secret', () => {
  test('may stand in a file that a variable names', async () => {
    await withFile('from a file\n', (path) => {
      const { config, sources } = loadConfig({ HUB_CONFIG: '', HUB_ADMIN_TOKEN_FILE: path })
      expect(config.adminToken).toBe('from a file')
      expect(sources.adminToken).toBe('HUB_ADMIN_TOKEN_FILE')
      expect(faultsOf({ HUB_ADMIN_TOKEN: 'x', HUB_ADMIN_TOKEN_FILE: path })).toEqual([
        'HUB_ADMIN_TOKEN and HUB_ADMIN_TOKEN_FILE: give one of both',
      ])
    })
    const [fault] = faultsOf({ HUB_ADMIN_TOKEN_FILE: '/nonexistent/token' })
    expect(fault).toContain('HUB_ADMIN_TOKEN_FILE: /nonexistent/token cannot be read')
  })

  test('alone: other settings have no such variable', async () => {
    await withFile('9000', (path) => {
      expect(loadConfig({ HUB_CONFIG: '', HUB_PORT_FILE: path }).config.port).toBe(8080)
    })
  })
})

describe('the file', () => {
  const FILE =
    'port: 9000\nkeepReleases: 5\nenvironments:\n  - {name: dev, promote: automatic}\n  - {name: live}\n'

  test('sets what no variable sets, and each value says where it is from', async () => {
    await withFile(FILE, (path) => {
      const { config, sources } = loadConfig({ HUB_CONFIG: path, HUB_PORT: '9001', HUB_KEEP_RELEASES: '5' })
      expect(config).toMatchObject({
        port: 9001,
        keepReleases: 5,
        environments: [
          { name: 'dev', promote: 'automatic' },
          { name: 'live', promote: 'request' },
        ],
      })
      expect(sources).toMatchObject({
        port: 'HUB_PORT',
        environments: path,
        host: 'default',
        keepReleases: 'HUB_KEEP_RELEASES',
      })
    })
  })

  test('of text says its source too where a variable says the same', async () => {
    await withFile('host: 10.0.0.1\n', (path) => {
      const { sources } = loadConfig({ HUB_CONFIG: path, HUB_HOST: '10.0.0.1' })
      expect(sources.host).toBe('HUB_HOST')
    })
  })

  test.each([
    ['prot: 1\n', '"prot"'],
    ['- a\n', 'name: value'],
    ['a: [\n', 'is not YAML'],
    ['port: nine\n', 'port'],
    ['environments:\n  - {name: dev, promotes: automatic}\n', 'environments.0'],
  ])('%j is refused', async (text, said) => {
    await withFile(text, (path) => {
      expect(faultsOf({ HUB_CONFIG: path }).join('\n')).toContain(said)
    })
  })

  test('that is empty sets nothing', async () => {
    await withFile('', (path) => {
      expect(loadConfig({ HUB_CONFIG: path }).config.port).toBe(8080)
    })
  })
})

test('with a certificate the address is https', () => {
  expect(load({ HUB_TLS_CERT: '/c', HUB_TLS_KEY: '/k', HUB_PORT: '8443' }).publicUrl).toBe(
    'https://127.0.0.1:8443',
  )
})
