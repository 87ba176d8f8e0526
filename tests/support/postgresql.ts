/** A real PostgreSQL server in a folder of its own that listens on a socket there only; and a recipe that backs it up. */
import { execFile } from 'node:child_process'
import { realpathSync } from 'node:fs'
import { chown, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { folderOf } from './programs.ts'

const execFileAsync = promisify(execFile)
const NOBODY = 65_534

export interface Database extends AsyncDisposable {
  /** The folder of the socket: what `--host` takes. */
  readonly socket: string
  /** Runs SQL as the owner of the database `shop`, or as the server's administrator in another; gives rows as text. */
  sql(text: string, database?: string): Promise<string>
  /** Makes the server end at once, as when its machine loses power. */
  stop(): Promise<void>
}

/** The folder that has all of PostgreSQL's programs; what is on PATH may be a link to one of them. */
export function postgresqlFolder(): string {
  const folder = folderOf('initdb')
  if (folder === undefined) throw new Error('PostgreSQL is not installed')
  return dirname(realpathSync(join(folder, 'initdb')))
}

/** Starts a server with a user and a database `shop`. It refuses to be root, so it runs as nobody where the test is root. */
export async function startDatabase(): Promise<Database> {
  const bin = postgresqlFolder()
  const folder = await mkdtemp(join(tmpdir(), 'portage-hub-pg-'))
  const isRoot = process.getuid?.() === 0
  const as = isRoot ? { uid: NOBODY, gid: NOBODY } : {}
  const call = async (program: string, ...args: readonly string[]): Promise<string> =>
    (await execFileAsync(join(bin, program), [...args], { cwd: folder, ...as })).stdout
  const [data, socket] = [join(folder, 'data'), join(folder, 's')]
  await mkdir(socket)
  if (isRoot) for (const path of [folder, socket]) await chown(path, NOBODY, NOBODY)
  const sql: Database['sql'] = async (text, database = 'shop') =>
    (
      await call('psql', ...PSQL, `--host=${socket}`, `--username=postgres`, database, '--command', text)
    ).trimEnd()
  const stop = async (): Promise<void> => {
    await call('pg_ctl', 'stop', `--pgdata=${data}`, '--mode=immediate').catch(() => undefined)
  }
  const dispose = async (): Promise<void> => {
    await stop()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await call('initdb', `--pgdata=${data}`, ...INITDB)
    const options = `-k ${socket} -c listen_addresses= -c fsync=off`
    await call('pg_ctl', 'start', '--wait', `--pgdata=${data}`, `--options=${options}`, `--log=${folder}/log`)
    await sql('CREATE ROLE shop LOGIN CREATEDB', 'postgres')
    await sql('CREATE DATABASE shop OWNER shop', 'postgres')
  } catch (error) {
    await dispose()
    throw error
  }
  return { socket, sql, stop, [Symbol.asyncDispose]: dispose }
}

const INITDB = ['--username=postgres', '--auth=trust', '--no-sync', '--locale=C', '--encoding=UTF8']
const PSQL = ['--no-psqlrc', '--tuples-only', '--no-align', '--set=ON_ERROR_STOP=1']

/** A table with two rows. */
export const TWO_ORDERS = `
  CREATE TABLE orders (id integer PRIMARY KEY, item text NOT NULL);
  ALTER TABLE orders OWNER TO shop;
  INSERT INTO orders VALUES (1, 'bread'), (2, 'it''s "cheese"');
`
export const ORDERS = 'SELECT id, item FROM orders ORDER BY id'

/** The parts of a recipe that save the database `shop`, bring it back, and try that out in a scratch database. */
export function databaseRecipe(socket: string, backupTimeout = '1m'): Readonly<Record<string, unknown>> {
  const as = `--host=${socket} --username=shop`
  const restore = `pg_restore ${as} --exit-on-error --single-transaction`
  const dump = '"$HUB_BACKUP_DIR/shop.dump"'
  return {
    backup: {
      commands: [`pg_dump ${as} --format=custom --file=${dump} shop`],
      timeout: backupTimeout,
      expect: ['shop.dump'],
    },
    restore: {
      commands: [`${restore} --clean --if-exists --dbname=shop ${dump}`],
      timeout: '1m',
      probe: `psql ${as} --no-psqlrc -At shop -c 'SELECT count(*) FROM orders'`,
    },
    rehearse: {
      commands: [
        `dropdb ${as} --if-exists shop_rehearsal`,
        `createdb ${as} shop_rehearsal`,
        `${restore} --dbname=shop_rehearsal ${dump}`,
        `psql ${as} --no-psqlrc -At shop_rehearsal -c 'SELECT count(*) FROM orders' | grep -q '^[1-9]'`,
        `dropdb ${as} shop_rehearsal`,
      ],
      timeout: '1m',
    },
  }
}
