import { spawnSync } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { renderEnrolScript } from '../../src/nodes/enrol-script.ts'
import { temporaryFolder } from '../git/support.ts'

const KEY = 'A'.repeat(40)
const ANCHOR = { publicKeys: '', fingerprints: [KEY], distrusted: [] }
const ANCHORS = { overlay: ANCHOR, binhost: { ...ANCHOR, fingerprints: [KEY, 'B'.repeat(40)] } }

function render(hub: string, overlayPrefix = 'hub'): string {
  return renderEnrolScript({ hub, overlayPrefix, anchors: ANCHORS })
}

/** What the shell makes of the values at the script's head: nothing past it is run. */
function valueOf(script: string, name: string): string {
  const head = script.slice(0, script.indexOf('\netc='))
  const { stdout } = spawnSync('sh', ['-c', `${head}\nprintf '%s' "$${name}"`], { encoding: 'utf8' })
  return stdout
}

test.each([
  ['https://hub.example', 'hub.example'],
  ['http://127.0.0.1:8080', '127.0.0.1'],
  ['https://hub.example:8443/sub', 'hub.example'],
  ['http://[::1]:8080', '::1'],
])('the hub at %s is %s in a .netrc', (hub, host) => {
  const script = render(hub)
  expect(valueOf(script, 'hub')).toBe(hub)
  expect(valueOf(script, 'host')).toBe(host)
  expect(valueOf(script, 'binhost_keys')).toBe(`${KEY} ${'B'.repeat(40)}`)
})

test.each(["'; touch /tmp/owned; '", '$(id)', '`id`', '"', '\\', '@HUB@', '$&', 'a\nb'])(
  'the value %j is one word of the shell',
  (value) => {
    expect(valueOf(render('https://hub.example', value), 'overlay_prefix')).toBe(value)
  },
)

describe.each(['sh', 'bash'])('by %s', (shell) => {
  const run = (script: string, ...args: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync(shell, ['-s', '--', ...args], {
      input: script,
      encoding: 'utf8',
    })
    return { status, said: stdout + stderr }
  }

  test('it says how it is used', () => {
    expect(run(render('https://hub.example'), '--help')).toEqual({
      status: 0,
      said: expect.stringContaining('usage: enroll.sh --environment'),
    })
  })

  test.each([
    [['--environment'], '--environment needs a value'],
    [['--environment', 'Staging; id'], 'is no name of an environment'],
    [['--token', 'a"\nurl=http://evil'], 'the token has a character that no token has'],
    [['--token-file', '/nonexistent'], 'cannot be read'],
    [['--force'], 'there is no option --force'],
  ])('%j is refused', (args, why) => {
    const { status, said } = run(render('https://hub.example'), ...args)
    expect(status).toBe(1)
    expect(said).toContain(why)
  })

  test('OpenRC is asked for the service once, and one that runs is left alone', async () => {
    await using folder = await temporaryFolder()
    const program = (name: string, text: string) =>
      writeFile(join(folder.path, name), `#!/bin/sh\n${text}`, { mode: 0o755 })
    await program(
      'rc-update',
      'case $1 in show) if [ -e added ]; then echo "             hub-node | default"; fi ;; *) echo "rc-update $*" >> log; : > added ;; esac\n',
    )
    await program(
      'rc-service',
      'case $* in *status*) [ -e started ] ;; *) echo "rc-service $*" >> log; : > started ;; esac\n',
    )
    const functions = render('https://hub.example')
      .replace(/main "\$@"\n$/, '')
      .replaceAll('/run/systemd/', '/nonexistent/')
    const enable = () =>
      spawnSync(shell, ['-c', `${functions}\nenable_service\necho changed=$changed`], {
        ...{ cwd: folder.path, encoding: 'utf8' },
        env: { PATH: `${folder.path}:${process.env['PATH'] ?? ''}` },
      })
    expect(enable().stdout).toBe('  started: the service hub-node\nchanged=yes\n')
    expect(enable().stdout).toBe('changed=no\n')
    expect(await readFile(join(folder.path, 'log'), 'utf8')).toBe(
      'rc-update --quiet add hub-node default\nrc-service hub-node start\n',
    )
  })

  test('a script that was cut on its way does nothing', () => {
    const script = render('https://hub.example')
    const cut = script.slice(0, script.lastIndexOf('main "$@"'))
    expect(run(cut, '--help')).toEqual({ status: 0, said: '' })
  })
})
