/**
 * A node of a demo. No machine stands behind it: it says of itself that it is simulated. What it does to the hub is real,
 * though, and what `hub-node` does: it syncs, fetches ebuilds and distfiles from the hub, keeps a restore point with a
 * package that the hub judges and signs, and reports.
 */
import { createHash } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { timestamp, unixSeconds } from '../clock.ts'
import type { Clock } from '../clock.ts'
import { GPKG_MANIFEST, GPKG_MARKER, renderGpkgManifest } from '../gentoo/gpkg.ts'
import { renderPadding, renderTarEnd, renderTarHeader } from '../gentoo/tar-member.ts'
import { DEMO_APPS } from './apps.ts'
import type { DemoClient, Json } from './client.ts'
import type { Random } from './random.ts'
import { filesOf, tarOf } from './tarball.ts'
import type { Files } from './tarball.ts'

const HUB_NODE = '0.1.0 (simulated)'
/** A bzip2 file of nothing: where a node has the shell environment of the build. */
const EMPTY_BZIP2 = Buffer.from('425a683917724538509000000000', 'hex')
const GIBIBYTE = 2 ** 30

interface Installed {
  readonly app: string
  readonly build: number
  readonly cpv: string
  readonly builtAt: number
  readonly binpkgBuildId: number | null
  readonly restorePoint: string | null
  readonly files: Files
  readonly ebuild: Buffer
}

interface Release {
  readonly app: string
  readonly build: number
  readonly cpv: string
}

/** What a node shares with the rest of the demo, and its own chances. */
export interface Surroundings {
  readonly clock: Clock
  readonly random: Random
  readonly overlayPrefix: string
}

export class SimNode {
  readonly name: string
  readonly environment: string
  readonly #hub: DemoClient
  readonly #around: Surroundings
  readonly #machineId: string
  readonly #installed = new Map<string, Installed>()
  #rehearsed: readonly Json[] = []

  constructor(
    { name, environment, machineId }: { name: string; environment: string; machineId: string },
    hub: DemoClient,
    around: Surroundings,
  ) {
    this.name = name
    this.environment = environment
    this.#machineId = machineId
    this.#hub = hub
    this.#around = around
  }

  /** Makes a machine a node, with an enrol token that is used up by it. */
  static async enrol(
    { name, environment, token }: { name: string; environment: string; token: string },
    hub: DemoClient,
    around: Surroundings,
  ): Promise<SimNode> {
    const machineId = around.random.hex(32)
    const answer = await hub.as(token).ask('POST', '/nodes', { name, environment, machineId })
    return new SimNode({ name, environment, machineId }, hub.as(String(answer['token'])), around)
  }

  /** Brings these apps to what the environment has, each behind a restore point of what was there; then reports. */
  async upgrade(apps: readonly string[]): Promise<void> {
    for (const app of apps) {
      const wanted = await this.#wanted(app)
      const present = this.#installed.get(app)
      if (!wanted || wanted.cpv === present?.cpv) continue
      const point = present ? await this.#keep(present, 'upgrade') : null
      await this.#install(wanted, point)
    }
    await this.report()
  }

  /** Does what the hub wishes: goes back to the restore points that it names. */
  async rollBack(): Promise<void> {
    const { items } = await this.#hub.ask('GET', `/nodes/${this.name}/rollbacks?state=requested`)
    for (const wish of items as readonly { id: string; restorePoint: string; app: string }[]) {
      const point = await this.#hub.ask('GET', `/nodes/${this.name}/restore-points/${wish.restorePoint}`)
      const present = this.#installed.get(wish.app)
      if (present) await this.#keep(present, 'rollback')
      const build = Number(/_p([0-9]+)$/.exec(String(point['cpv']))?.[1] ?? 0)
      await this.#install({ app: wish.app, build, cpv: String(point['cpv']) }, wish.restorePoint)
      const detail = `${wish.app} is ${String(point['cpv'])} again, and healthy`
      await this.#hub.ask('POST', `/nodes/${this.name}/rollbacks/${wish.id}/result`, { status: 0, detail })
    }
    await this.report()
  }

  /** Notes that it restored the newest dump into a scratch database; the next report tells. */
  rehearse(app: string): void {
    const restorePoint = this.#installed.get(app)?.restorePoint
    if (restorePoint === null || restorePoint === undefined) return
    const at = timestamp(this.#around.clock.now())
    this.#rehearsed = [{ restorePoint, at, ok: true, detail: 'all tables are there' }]
  }

  async report(): Promise<void> {
    const { clock, overlayPrefix, random } = this.#around
    const { overlay } = await this.#hub.ask('GET', `/environments/${this.environment}`)
    const { revision, commit } = overlay as { revision: number; commit: string }
    const at = timestamp(clock.now())
    await this.#hub.ask('POST', `/nodes/${this.name}/report`, {
      ...{ at, portage: '3.0.82', hubNode: HUB_NODE, machineId: this.#machineId },
      sync: { at, revision, commit },
      packages: [...this.#installed.values()].map(({ cpv, builtAt, binpkgBuildId, restorePoint }) => ({
        ...{ cpv, repo: `${overlayPrefix}-${this.environment}`, buildTimeSec: builtAt },
        ...{ binpkgBuildId, restorePoint },
      })),
      configPending: this.#installed.has('shop') ? ['/etc/shop/._cfg0000_shop.toml'] : [],
      disk: [{ path: '/', freeBytes: random.whole(8, 30) * GIBIBYTE, totalBytes: 40 * GIBIBYTE }],
      rehearsed: this.#rehearsed,
    })
  }

  /** What its environment has for it: as the hub tells of what is installed, else the newest release. */
  async #wanted(app: string): Promise<Release | null> {
    const present = this.#installed.get(app)
    if (present) {
      const { packages } = await this.#hub.ask('GET', `/nodes/${this.name}`)
      const status = (packages as readonly { app: string; wanted: Release | null }[]).find(
        (one) => one.app === app,
      )
      if (status) return status.wanted && { ...status.wanted, app }
    }
    const path = `/environments/${this.environment}/releases?app=${app}&state=released&limit=1`
    const { items } = await this.#hub.ask('GET', path)
    return (items as readonly Release[])[0] ?? null
  }

  async #install({ app, build, cpv }: Release, restorePoint: string | null): Promise<void> {
    const [category = '', pf = ''] = cpv.split('/')
    const tree = `/overlays/${this.environment}/tree/${category}/${app}/${pf}.ebuild`
    const distfile = `/distfiles/${this.environment}/${this.#around.overlayPrefix}-${pf}.tar.gz`
    this.#installed.set(app, {
      ...{ app, build, cpv, restorePoint, binpkgBuildId: null },
      builtAt: unixSeconds(this.#around.clock.now()),
      ebuild: await this.#hub.bytes(tree),
      files: await filesOf(await this.#hub.bytes(distfile)),
    })
  }

  /** Packs what is installed and sends it with its data. Gives the id of the restore point. */
  async #keep(installed: Installed, reason: 'upgrade' | 'rollback'): Promise<string> {
    const { app, build, cpv } = installed
    const stamp = timestamp(this.#around.clock.now()).replaceAll(/[-:]/g, '')
    const id = `rp_${stamp}_${this.#around.random.word(6)}`
    const [category = '', pf = ''] = cpv.split('/')
    const files = [
      {
        kind: 'binpkg',
        place: 'binpkgs',
        name: `${category}/${app}/${pf}-1.gpkg.tar`,
        bytes: this.#pack(installed),
      },
      ...this.#dump(app),
    ]
    const points = `/nodes/${this.name}/restore-points`
    const { wants } = await this.#hub.ask('POST', points, {
      ...{ id, app, cpv, reason, hubNode: HUB_NODE, encrypted: false },
      takenAt: timestamp(this.#around.clock.now()),
      schemaVersion: DEMO_APPS.find(({ name }) => name === app)?.schemaVersion(build) ?? null,
      files: files.map(({ kind, name, bytes }) => ({
        ...{ kind, name, sizeBytes: bytes.length },
        sha512: createHash('sha512').update(bytes).digest('hex'),
      })),
    })
    const wanted = (wants as readonly { name: string }[]).map(({ name }) => name)
    for (const { place, name, bytes } of files)
      if (wanted.includes(name)) await this.#hub.put(`${points}/${id}/${place}/${name}`, bytes)
    await this.#hub.ask('POST', `${points}/${id}/complete`)
    return id
  }

  #dump(app: string) {
    const name = DEMO_APPS.find((one) => one.name === app)?.dump ?? null
    if (name === null) return []
    const rows = Array.from(
      { length: this.#around.random.whole(20, 60) },
      (_, at) => `INSERT INTO orders VALUES (${String(at + 1)}, '${this.#around.random.word(12)}');\n`,
    )
    return [{ kind: 'dump', place: 'dumps', name, bytes: Buffer.from(rows.join('')) }]
  }

  /** As `quickpkg` packs it (GLEP 78). */
  #pack({ cpv, builtAt, files, ebuild, app }: Installed): Buffer {
    const [category = '', pf = ''] = cpv.split('/')
    const prefix = app === 'handbook' ? 'image/var/www/handbook' : `image/opt/${app}`
    const image = Object.fromEntries(
      Object.entries(files).map(([path, bytes]) => [`${prefix}/${path.slice(path.indexOf('/') + 1)}`, bytes]),
    )
    const metadata = {
      ...{ CATEGORY: `${category}\n`, PF: `${pf}\n`, SLOT: '0\n', EAPI: '8\n', KEYWORDS: 'amd64 arm64\n' },
      BUILD_TIME: `${String(builtAt)}\n`,
      repository: `${this.#around.overlayPrefix}-${this.environment}\n`,
      'environment.bz2': EMPTY_BZIP2,
      [`${pf}.ebuild`]: ebuild,
    }
    const members = {
      [GPKG_MARKER]: Buffer.alloc(0),
      'metadata.tar.gz': gzipSync(tarOf(inFolder('metadata', metadata))),
      'image.tar.gz': gzipSync(tarOf(image)),
    }
    const manifest = new Map(Object.entries(members).map(([name, bytes]) => [name, digestsOf(bytes)]))
    return gpkgOf(inFolder(pf, { ...members, [GPKG_MANIFEST]: renderGpkgManifest(manifest) }), builtAt)
  }
}

/** The outer archive: the hub reads it more strictly than other tars. */
function gpkgOf(members: Files, mtimeSec: number): Buffer {
  const parts = Object.entries(members).flatMap(([name, content]) => {
    const sizeBytes = Buffer.byteLength(content)
    return [renderTarHeader({ name, sizeBytes, mtimeSec }), Buffer.from(content), renderPadding(sizeBytes)]
  })
  return Buffer.concat([...parts, renderTarEnd()])
}

function inFolder(folder: string, files: Files): Files {
  return Object.fromEntries(Object.entries(files).map(([name, content]) => [`${folder}/${name}`, content]))
}

function digestsOf(bytes: Buffer) {
  const hex = (algorithm: string): string => createHash(algorithm).update(bytes).digest('hex')
  return { sizeBytes: bytes.length, blake2b: hex('blake2b512'), sha512: hex('sha512') }
}
