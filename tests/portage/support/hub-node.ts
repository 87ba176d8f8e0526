/** `hub-node` on a host: put there as the administrator has it, and run as from a terminal. */
import { readdir, readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { TestHub } from '../../support/test-hub.ts'
import type { GentooNode } from './gentoo-node.ts'
import { follow } from './portage-client.ts'
import { uploadShop } from './shop-builds.ts'
import type { ShopBuild } from './shop-builds.ts'

const PROGRAM = resolve(import.meta.dirname, '../../../node/hub-node')
export const POINTS = 'var/lib/portage-hub/restore-points'

/** A checkout's Portage is no module that Python finds by itself. */
export const WRAPPER = `#!/bin/sh
export PYTHONPATH=/usr/lib/portage-under-test/lib PORTAGE_USERNAME=root PORTAGE_GRPNAME=root
exec python3 /usr/lib/hub-node "$@"
`
const NOTE_CALLS = `#!/bin/sh
mkdir -p /var/lib/shop-test
echo "$@" >> /var/lib/shop-test/rc-service.log
case $2 in
stop) touch /var/lib/shop-test/shop-is-stopped ;;
start) rm -f /var/lib/shop-test/shop-is-stopped ;;
status) if [ -e /var/lib/shop-test/shop-is-stopped ]; then exit 3; fi ;;
esac
`
/** Its shell is process 1 of the host: when hub-node is killed, the rest goes on until the shell ends. */
const RUN = 'hub-node "$@"; status=$?; exit $status'

export interface Outcome {
  readonly status: number | null
  /** Progress, as a person sees it. */
  readonly output: string
  /** The JSON object at the end; empty when hub-node was killed. */
  readonly result: Readonly<Record<string, unknown>>
}

/** Installs hub-node, its settings, and a stub of OpenRC's rc-service that notes its calls in `shop-test/rc-service.log`. */
export async function installHubNode(
  node: GentooNode,
  hub: TestHub,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  await node.write('usr/lib/hub-node', await readFile(PROGRAM), 0o755)
  await node.write('usr/bin/hub-node', WRAPPER, 0o755)
  await node.write('usr/local/bin/rc-service', NOTE_CALLS, 0o755)
  const all = {
    ...{ hub: hub.url, node: 'web1', environment: 'staging', overlay: 'hub-staging' },
    ...{ categories: ['app-acme'], encryptTo: [], healthPauseSec: 0, ...settings },
  }
  await node.write('etc/portage/hub/hub-node.json', JSON.stringify(all))
}

/** A host with hub-node on which the first of these builds is installed, with data and an edited configuration. */
export async function hostWithShop(
  node: GentooNode,
  hub: TestHub,
  [first, ...others]: readonly [ShopBuild, ...ShopBuild[]],
): Promise<void> {
  await installHubNode(node, hub)
  await uploadShop(hub, first)
  await follow(node, hub, { environment: 'staging' })
  await node.must('emerge', '--oneshot', 'app-acme/shop')
  await node.bash(EDIT)
  for (const build of others) await uploadShop(hub, build)
}

/** What an administrator and the application did since: an edited file, a removed one, another mode, rows of data. */
const EDIT = `
  echo edited > /etc/shop.toml; chmod 0604 /etc/shop.toml; chown 56:78 /etc/shop.toml
  rm /etc/shop/gone.toml
  printf 'row 1\\nrow 2\\n' > /var/lib/shop/data
  mkdir -p /var/lib/shop-test/hooks
  : > /var/lib/shop-test/backup
`

/** Runs hub-node with \`--json\`. */
export async function hubNode(node: GentooNode, ...args: readonly string[]): Promise<Outcome> {
  return await runText(node, RUN, args)
}

/** Runs hub-node, which is killed when it comes to a step. */
export async function hubNodeKilledAt(
  node: GentooNode,
  step: string,
  ...args: readonly string[]
): Promise<Outcome> {
  const text = `mkdir -p -m 700 /var/lib/portage-hub/state; touch /var/lib/portage-hub/state/test-stops-allowed
    export HUB_NODE_TEST_STOP_AT=${step}; ${RUN}`
  return await runText(node, text, args)
}

async function runText(node: GentooNode, text: string, args: readonly string[]): Promise<Outcome> {
  const { status, output } = await node.run('bash', '-c', text, 'bash', ...args, '--json')
  const last = output.trimEnd().split('\n').at(-1) ?? ''
  const result = last.startsWith('{') ? (JSON.parse(last) as Outcome['result']) : {}
  return { status, output, result }
}

/** Everything that must be as before after a rollback: files, links, modes, owners, configuration, and what CONTENTS says. */
export async function shopState(node: GentooNode): Promise<string> {
  return await node.bash(`
    shopt -s nullglob
    find /opt/shop /etc/shop.toml /etc/shop /etc/._cfg* ! -type d -printf '%p %y %m %U:%G %l\\n' | sort
    find /opt/shop /etc/shop.toml /etc/shop ! -type d -type f -exec sha256sum {} + | sort -k 2
    cat /var/db/pkg/app-acme/shop-*/PF
    grep ' /etc/' /var/db/pkg/app-acme/shop-*/CONTENTS | grep -v '^dir' | sort
  `)
}

/** Ids of the restore points that are complete, oldest first. */
export async function pointIds(node: GentooNode): Promise<readonly string[]> {
  const names = await readdir(node.path(POINTS)).catch(() => [])
  const complete = names.map(async (name) =>
    (await readdir(node.path(join(POINTS, name)))).includes('point.json') ? [name] : [],
  )
  return (await Promise.all(complete)).flat().toSorted()
}

/** Folders of restore points, complete or not. */
export async function pointFolders(node: GentooNode): Promise<readonly string[]> {
  return await readdir(node.path(POINTS)).catch(() => [])
}
