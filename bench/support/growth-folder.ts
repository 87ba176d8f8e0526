/** Data folders of archives of several sizes, made once and kept between runs of the bench. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { systemClock } from '../../src/clock.ts'
import { loadConfig } from '../../src/config.ts'
import { fillArchive } from './fill-archive.ts'

/** What makes a folder; another one is made when these change. Migrations are applied by the hub that opens it. */
const MADE_BY = ['fill-archive.ts', 'tiny-tarballs.ts', 'archive-rows.ts', 'overlay-of-apps.ts']

export interface GrownArchive {
  readonly folder: string
  readonly builds: number
  readonly apps: number
  /** The settings that the folder was made with; a hub with others would begin by publishing them. */
  readonly env: Readonly<Record<string, string>>
}

export const GROWTH_ENV = { HUB_PUBLIC_URL: 'http://hub.example', HUB_LOG_LEVEL: 'warn' }

/** The archive of so many builds: the one of an earlier run, or a new one. */
export async function grownArchive(root: string, builds: number, apps: number): Promise<GrownArchive> {
  const folder = join(root, `hub-bench-growth-${builds}`)
  const stamp = join(folder, 'stamp')
  const archive = { folder: join(folder, 'data'), builds, apps, env: GROWTH_ENV }
  const wanted = `${builds} builds of ${apps} apps by ${versionOfMaker()}`
  if (readIfThere(stamp) === wanted) return archive
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(archive.folder, { recursive: true })
  const started = performance.now()
  await fillArchive({
    config: loadConfig({
      HUB_CONFIG: '',
      HUB_PORT: '0',
      ...GROWTH_ENV,
      HUB_DATA_DIR: archive.folder,
      HUB_ADMIN_TOKEN: 'x',
    }).config,
    ...{ builds, apps, until: systemClock.now() },
    onProgress: (done) => {
      if (done % 5000 === 0)
        process.stderr.write(`  ${done} of ${builds} builds made in ${secondsSince(started)} s\n`)
    },
  })
  spawnSync('sync')
  process.stderr.write(`  an archive of ${builds} builds made in ${secondsSince(started)} s: ${folder}\n`)
  writeFileSync(stamp, wanted)
  return archive
}

function versionOfMaker(): string {
  const digest = createHash('sha256')
  for (const name of MADE_BY) digest.update(readFileSync(join(import.meta.dirname, name)))
  return digest.digest('hex').slice(0, 16)
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

function secondsSince(started: number): string {
  return ((performance.now() - started) / 1000).toFixed(0)
}
