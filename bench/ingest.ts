/**
 * CI sends a tarball of 1 GiB: from its first byte to the answer, when it is on disk to survive a power cut, digested,
 * judged, archived and published in staging. Peers: coreutils' `sha512sum` and `b2sum` side by side on a file in the page
 * cache, which is the least that anybody must compute; and what a site without a hub would do: `PUT` to nginx, then both
 * digests. Beside that, how much memory the hub takes for it.
 */
import { randomBytes } from 'node:crypto'
import { open, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { startBenchHub } from './support/hub.ts'
import type { BenchHub } from './support/hub.ts'
import { writeLargeTar } from './support/large-tar.ts'
import { startNginx } from './support/nginx.ts'
import type { Nginx } from './support/nginx.ts'
import { runPart } from './support/part.ts'
import type { Bench } from './support/part.ts'
import { cpuSeconds, peakResidentBytes, resetPeakResident, residentBytes } from './support/processes.ts'
import { programPath, programVersion } from './support/programs.ts'
import { alternate } from './support/rounds.ts'
import { runTimed } from './support/run-timed.ts'

const MIB = 2 ** 20
const GIB = 2 ** 30

type Way = 'PUT' | 'multipart'

/** Where the content of the only file of the tarball begins. */
const CONTENT_AT = 512

const PUT_LOCATION = `    location / {
      dav_methods PUT;
      create_full_put_path on;
      client_body_buffer_size 1m;
      root put;
    }`

let lastBuild = 0

await runPart({
  name: 'ingest',
  title: 'a tarball of 1 GiB from CI',
  needs: ['nginx', 'curl', 'sha512sum', 'b2sum'],
  async run(bench) {
    const { options, folder, report, resources } = bench
    const sizeBytes = options.quick ? 16 * MIB : GIB
    const file = join(folder, 'large.tar')
    await writeLargeTar(file, 'large', sizeBytes)
    await runTimed('sync', [file])
    const nginx = resources.use(await startNginx({ folder: join(folder, 'nginx'), locations: PUT_LOCATION }))
    report.peer(
      `${programVersion('sha512sum')}, sha512sum and b2sum: at the same time, each reads the file itself`,
    )
    report.peer(
      `${nginx.description}; dav_methods PUT, client_body_buffer_size 1m, temporary files beside the target; then the two ` +
        'digests of what arrived; once without and once with a `sync` of the file, which the hub always does',
    )
    report.peer('dd bs=1M conv=fdatasync from the page cache: nothing received, nothing computed')
    report.note(
      `Client for all: ${programVersion('curl')}. The file is random, a plain tar, and in the page cache.`,
    )
    const hub = resources.use(
      await startBenchHub({
        folder: join(folder, 'hub'),
        profile: options.profile,
        env: { HUB_MAX_UPLOAD: '8GiB' },
      }),
    )
    await hub.upload({ app: 'small', build: 1, version: '1.0.0', tarball: await smallTar(folder) })
    await compareSpeed(bench, hub, nginx, { file, sizeBytes })
    await measureMemory(bench)
  },
})

interface Tarball {
  readonly file: string
  readonly sizeBytes: number
}

async function compareSpeed(
  { options, report, folder }: Bench,
  hub: BenchHub,
  nginx: Nginx,
  tarball: Tarball,
) {
  const { sizeBytes } = tarball
  const viaNginx = (isDurable: boolean) => async () => await putAndDigest(nginx, folder, tarball, isDurable)
  const results = await alternate({
    rounds: options.rounds,
    contestants: {
      'hub, PUT': async () => await upload(hub, 'PUT', tarball),
      'sha512sum and b2sum': async () => await timed(sizeBytes, async () => await digestBoth(tarball.file)),
      'hub, multipart': async () => await upload(hub, 'multipart', tarball),
      'nginx, then digests': viaNginx(false),
      'nginx, sync, then digests': viaNginx(true),
      'dd, only writing': async () => await timed(sizeBytes, async () => await copy(tarball.file, folder)),
    },
  })
  for (const way of ['PUT', 'multipart'] as const) {
    const ours = results[`hub, ${way}`]
    const row = { unit: 'MB/s', better: 'more', hub: ours.rate, measured: `1 GiB by ${way}` } as const
    for (const [peerName, ratio] of [
      ['sha512sum and b2sum', 0.9],
      ['nginx, then digests', 1],
      ['nginx, sync, then digests', null],
      ['dd, only writing', null],
    ] as const) {
      const target = ratio === null ? {} : { target: { ratio } }
      report.row({ ...row, peerName, peer: results[peerName].rate, ...target })
    }
    const unit = 'CPU seconds of the hub for a GiB'
    report.row({ measured: `1 GiB by ${way}`, unit, better: 'less', hub: ours.cpuSec })
  }
}

async function upload(hub: BenchHub, way: Way, { file, sizeBytes }: Tarball) {
  await makeUnseen(file)
  const build = ++lastBuild
  const before = cpuSeconds(hub.pid)
  const app = `${hub.url}/api/v1/apps/large/builds`
  const sent =
    way === 'PUT'
      ? ['-T', file, `${app}/${build}/tarball?version=1.0.0`]
      : ['-F', `build=${build}`, '-F', 'version=1.0.0', '-F', `tarball=@${file}`, app]
  const header = `Authorization: Bearer ${hub.adminToken}`
  const { rate } = await timed(sizeBytes, async () => {
    await runTimed(programPath('curl'), ['-sS', '--fail', '-o', '/dev/null', '-H', header, ...sent])
  })
  return { rate, cpuSec: ((cpuSeconds(hub.pid) - before) * GIB) / sizeBytes }
}

/** Another tarball each time: bytes that the archive has already would only be thrown away at the end. */
async function makeUnseen(file: string): Promise<void> {
  await using handle = await open(file, 'r+')
  await handle.write(randomBytes(16), 0, 16, CONTENT_AT)
}

async function putAndDigest(nginx: Nginx, folder: string, { file, sizeBytes }: Tarball, isDurable: boolean) {
  const arrived = join(folder, 'nginx', 'put', 'large.tar')
  const measured = await timed(sizeBytes, async () => {
    await runTimed(programPath('curl'), [
      '-sS',
      '--fail',
      '-o',
      '/dev/null',
      '-T',
      file,
      `${nginx.url}/large.tar`,
    ])
    if (isDurable) await runTimed('sync', [arrived])
    await digestBoth(arrived)
  })
  await rm(arrived)
  return { ...measured, cpuSec: 0 }
}

/** What the file system alone takes for so many bytes, nothing received and nothing computed. */
async function copy(file: string, folder: string): Promise<void> {
  const copied = join(folder, 'copy')
  await runTimed('dd', [`if=${file}`, `of=${copied}`, 'bs=1M', 'conv=fdatasync', 'status=none'])
  await rm(copied)
}

async function digestBoth(file: string): Promise<void> {
  const programs = ['sha512sum', 'b2sum'] as const
  await Promise.all(programs.map(async (program) => await runTimed(programPath(program), [file])))
}

async function timed(sizeBytes: number, work: () => Promise<void>) {
  const started = performance.now()
  await work()
  return { rate: sizeBytes / 1000 / (performance.now() - started), cpuSec: 0 }
}

/** A fresh hub that took one small build; then large ones, whose bytes it has not seen. */
async function measureMemory({ options, folder, report }: Bench): Promise<void> {
  const sizes = options.quick ? [16 * MIB] : [GIB, 4 * GIB]
  for (const sizeBytes of sizes) {
    const file = join(folder, 'memory.tar')
    await writeLargeTar(file, 'large', sizeBytes)
    for (const way of ['PUT', 'multipart'] as const) {
      const data = join(folder, `memory-${way}`)
      const growth = await growthOf(data, way, { file, sizeBytes }, await smallTar(folder))
      await rm(data, { recursive: true })
      const measured = `memory for ${sizeBytes / MIB} MiB by ${way}`
      report.row({ measured, unit: 'MiB above before', better: 'less', hub: growth, target: { atMost: 64 } })
    }
    await rm(file)
  }
}

async function growthOf(folder: string, way: Way, tarball: Tarball, small: Buffer): Promise<number> {
  await using hub = await startBenchHub({ folder, env: { HUB_MAX_UPLOAD: '8GiB' } })
  await hub.upload({ app: 'small', build: 1, version: '1.0.0', tarball: small })
  const before = residentBytes(hub.pid)
  resetPeakResident(hub.pid)
  await upload(hub, way, tarball)
  return (peakResidentBytes(hub.pid) - before) / MIB
}

async function smallTar(folder: string): Promise<Buffer> {
  const file = join(folder, 'small.tar')
  await writeLargeTar(file, 'small', 10_240)
  return await readFile(file)
}
