/** Whether this host can run the hub that the settings describe, check by check. */
import { randomUUID } from 'node:crypto'
import { access, rm, statfs, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { once } from 'node:events'
import { unixSeconds } from '../clock.ts'
import type { Config } from '../config.ts'
import type { Hub } from '../hub.ts'
import { pathsOf } from '../storage/paths.ts'
import { diagnoseKeys } from './diagnose-keys.ts'
import { fail, ok, warn } from './diagnosis.ts'
import type { Diagnosis } from './diagnosis.ts'
import { databasePath, openDataFolder } from './open-data-folder.ts'
import type { DataFolder } from './open-data-folder.ts'
import { localUrl, probeHub } from './probe-hub.ts'
import { runProgram } from './run-program.ts'

const GIB = 2 ** 30
const LEAST_FREE_BYTES = 64 * 2 ** 20
const LITTLE_FREE_BYTES = GIB
const OLDEST_NODE = 24
/** `git repack --geometric` came with it. */
const OLDEST_GIT = [2, 32] as const
/** Nothing of this project was there before. */
const EARLIEST_SEC = 1_790_000_000

/** Checks that need no settings. */
export async function* diagnosePrograms(nodeVersion: string): AsyncGenerator<Diagnosis> {
  const isNew = Number.parseInt(nodeVersion) >= OLDEST_NODE
  yield isNew
    ? ok('Node', nodeVersion)
    : fail('Node', nodeVersion, `use Node ${String(OLDEST_NODE)}; scripts/portage-hub brings its own`)
  yield await diagnoseGit()
  for (const [program, suffix] of [
    ['xz', '.tar.xz'],
    ['bzip2', '.tar.bz2'],
  ] as const) {
    const { exitStatus } = await runProgram(program, ['--help'])
    yield exitStatus === null
      ? warn(program, 'not installed', `install it, or uploads of ${suffix} fail`)
      : ok(program, 'installed')
  }
}

async function diagnoseGit(): Promise<Diagnosis> {
  const { exitStatus, output } = await runProgram('git', ['--version'])
  if (exitStatus === null)
    return fail('git', 'not installed', 'install git; nodes clone the overlays through it')
  const version = /\d+\.\d+(\.\d+)?/.exec(output)?.[0] ?? output.trim()
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isOld = major < OLDEST_GIT[0] || (major === OLDEST_GIT[0] && minor < OLDEST_GIT[1])
  return isOld ? warn('git', version, `use git ${OLDEST_GIT.join('.')} or newer`) : ok('git', version)
}

/** Checks of the data folder, the records and the addresses that the settings name. */
export async function* diagnoseHub(config: Config, now: Date): AsyncGenerator<Diagnosis> {
  const folder = await diagnoseFolder(config)
  yield folder
  if (folder.state === 'ok') yield await diagnoseSpace(config)
  yield* diagnoseRecords(config, now)
  yield* diagnoseAddresses(config)
}

/** The same of a hub that runs: it has its port and its records, and others answer for them. */
export async function* diagnoseRunning(
  hub: Pick<Hub, 'config' | 'paths' | 'records'>,
  now: Date,
): AsyncGenerator<Diagnosis> {
  yield* diagnosePrograms(process.versions.node)
  const folder = await diagnoseFolder(hub.config)
  yield folder
  if (folder.state === 'ok') yield await diagnoseSpace(hub.config)
  yield* diagnoseKeys(hub, now)
  const { timeSec, what } = await newestRevision(hub)
  yield diagnoseClock(now, timeSec, what)
  yield await diagnosePublicUrl(hub.config)
}

async function diagnoseFolder(config: Config): Promise<Diagnosis> {
  const { data } = pathsOf(config)
  const file = join(data, `.doctor-${randomUUID()}`)
  try {
    await writeFile(file, '')
    await rm(file)
    return ok('data folder', `${data} is writable`)
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT') {
      return warn('data folder', `${data} is not there`, 'the first start makes it; or set HUB_DATA_DIR')
    }
    const toDo = 'make it writable for the user that runs the hub, or set HUB_DATA_DIR'
    return fail('data folder', (error as Error).message, toDo)
  }
}

async function diagnoseSpace(config: Config): Promise<Diagnosis> {
  const { bavail, bsize } = await statfs(pathsOf(config).data)
  const freeBytes = bavail * bsize
  const detail = `${(freeBytes / GIB).toFixed(1)} GiB free`
  const toDo = 'make room: each upload needs its own size, and nothing is ever removed from the archive'
  if (freeBytes < LEAST_FREE_BYTES) return fail('disk', detail, toDo)
  return freeBytes < LITTLE_FREE_BYTES ? warn('disk', detail, toDo) : ok('disk', detail)
}

async function* diagnoseRecords(config: Config, now: Date): AsyncGenerator<Diagnosis> {
  const path = databasePath(config)
  const isThere = await access(path).then(
    () => true,
    () => false,
  )
  if (!isThere) {
    yield ok('records', `${path} is not there; the first start makes it`)
    yield diagnoseClock(now, EARLIEST_SEC, 'this version of the hub')
    return
  }
  let folder: DataFolder
  try {
    folder = await openDataFolder(config)
  } catch (error) {
    yield fail('records', (error as Error).message, 'or run the version of the hub that wrote them')
    return
  }
  await using open = folder
  yield ok('records', path)
  yield* diagnoseKeys(open, now)
  const { timeSec, what } = await newestRevision(open)
  yield diagnoseClock(now, timeSec, what)
}

async function newestRevision({
  records,
  config,
}: Pick<Hub, 'records' | 'config'>): Promise<{ timeSec: number; what: string }> {
  let newest = { timeSec: EARLIEST_SEC, what: 'this version of the hub' }
  for (const { name } of config.environments) {
    const revision = await records.overlays.newestRevision(name)
    if (revision && revision.timeSec > newest.timeSec) {
      newest = { timeSec: revision.timeSec, what: `revision ${String(revision.number)} of ${name}` }
    }
  }
  return newest
}

function diagnoseClock(now: Date, earliestSec: number, what: string): Diagnosis {
  const detail = now.toISOString()
  if (unixSeconds(now) >= earliestSec) return ok('clock', detail)
  return fail('clock', `${detail} is before ${what}`, 'set the clock, and let NTP keep it')
}

async function* diagnoseAddresses(config: Config): AsyncGenerator<Diagnosis> {
  const { host, port, publicUrl } = config
  const address = `${host}:${String(port)}`
  const here = await probeHub(localUrl(config), true)
  if (here.state === 'hub') yield ok('port', `a hub answers at ${address}`)
  else {
    const fault = port === 0 ? null : await faultOfListening(host, port)
    const toDo = 'stop what has the port, or set HUB_HOST and HUB_PORT'
    yield fault === null ? ok('port', `${address} is free`) : fail('port', `${address}: ${fault}`, toDo)
    yield ok('public URL', `${publicUrl}, not asked: the hub does not run`)
    return
  }
  yield await diagnosePublicUrl(config)
}

async function diagnosePublicUrl({ publicUrl }: Config): Promise<Diagnosis> {
  const outside = await probeHub(publicUrl)
  return outside.state === 'hub'
    ? ok('public URL', `${publicUrl} leads to a hub`)
    : warn(
        'public URL',
        `${publicUrl} does not lead to a hub from here: ${outside.why}`,
        'set HUB_PUBLIC_URL to the address that nodes use, and see the proxy in front',
      )
}

async function faultOfListening(host: string, port: number): Promise<string | null> {
  const server = createServer()
  try {
    server.listen(port, host)
    await once(server, 'listening')
    server.close()
    return null
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    return code === 'EADDRINUSE' ? 'another program has it' : message
  }
}
