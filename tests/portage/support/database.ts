/** PostgreSQL on a host: its data are the host's own, and it runs while hub-node does, since a host has no daemons between. */
import { postgresqlFolder } from '../../support/postgresql.ts'
import type { GentooNode } from './gentoo-node.ts'

/** The folder of its socket. */
export const SOCKET = '/run/postgresql'
const DATA = '/var/lib/postgresql/data'

/** Runs a command while the server is up, which refuses to be root. */
function withServer(bin: string): string {
  return `#!/bin/bash
set -eu
server() { setpriv --reuid=65534 --regid=65534 --clear-groups ${bin}/pg_ctl "$@" --wait --pgdata=${DATA} > /dev/null; }
server start --log=/var/lib/postgresql/log --options='-k ${SOCKET} -c listen_addresses= -c fsync=off'
export PATH=${bin}:$PATH
status=0
"$@" || status=$?
server stop --mode=fast
exit $status
`
}

/** Makes a server with a user and a database \`shop\`, around every run of hub-node. */
export async function installDatabase(node: GentooNode): Promise<void> {
  const bin = postgresqlFolder()
  await node.write('usr/local/bin/with-postgresql', withServer(bin), 0o755)
  await node.write(
    'usr/local/bin/hub-node',
    '#!/bin/sh\nexec with-postgresql /usr/bin/hub-node "$@"\n',
    0o755,
  )
  await node.bash(
    `mkdir -p ${DATA} ${SOCKET}; chown -R 65534:65534 /var/lib/postgresql ${SOCKET}
    setpriv --reuid=65534 --regid=65534 --clear-groups "$1/initdb" --pgdata=${DATA} --username=postgres \\
      --auth=trust --no-sync --locale=C --encoding=UTF8 > /dev/null`,
    bin,
  )
  await sql(node, 'CREATE ROLE shop LOGIN CREATEDB', 'postgres')
  await sql(node, 'CREATE DATABASE shop OWNER shop', 'postgres')
}

/** Runs SQL as the server's administrator; gives rows as text. */
export async function sql(node: GentooNode, text: string, database = 'shop'): Promise<string> {
  const connection = [`--host=${SOCKET}`, '--username=postgres', '--no-psqlrc', '--tuples-only', '--no-align']
  const rows = await node.must(
    'with-postgresql',
    'psql',
    ...connection,
    '--quiet',
    database,
    '--command',
    text,
  )
  return rows.trimEnd()
}
