/**
 * An overlay's repository on disk: bare, one branch, every revision one pack. Files are written here and
 * fsynced; git itself is started only to repack and for the questions that memory cannot answer.
 * Source: gitrepository-layout(5); the order pack, index, ref is git's own: nothing is named before it is
 * whole.
 *
 *     HEAD  config  refs/heads/main  objects/pack/pack-<digest>.{pack,idx}
 */
import { randomUUID } from 'node:crypto'
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import type { ProtocolVersion } from '../git/advertisement.ts'
import { HEAD_TARGET } from '../git/advertisement.ts'
import { parseOid } from '../git/objects.ts'
import type { Oid } from '../git/objects.ts'
import { GrowingPack } from '../git/growing-pack.ts'
import type { GrowingObject } from '../git/growing-pack.ts'
import { encodePack, encodePackIndex } from '../git/pack.ts'
import type { PackEntry } from '../git/pack.ts'
import { UNWATCHED } from '../steps.ts'
import type { Steps } from '../steps.ts'
import { REAL_DISK } from './disk.ts'
import type { Disk } from './disk.ts'
import {
  makeDirectoryDurably,
  removeQuietly,
  syncDirectory,
  writeFileDurably,
  writeNewFile,
} from './durable-write.ts'

const CONFIG = `[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
[gc]
\tauto = 0
[uploadpack]
\tallowFilter = true
\tallowAnySHA1InWant = true
`
const DEFAULT_SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const MAX_COMPLAINT_CHARS = 2000

/** An object to be written. */
export type PackedObject = GrowingObject

/**
 * How a git process ended: `exitStatus` is null when it was stopped; `complaint` is the start of its error
 * output.
 */
export interface GitExit {
  readonly exitStatus: number | null
  readonly complaint: string
}

export interface GitProcess {
  readonly output: AsyncIterable<Buffer>
  /** Fails only when git could not be started. */
  readonly finished: Promise<GitExit>
  stop(): void
}

export interface UploadPackInput {
  readonly body: Buffer
  readonly protocolVersion: ProtocolVersion
  /** Stops the process. */
  readonly signal?: AbortSignal
}

export interface GitRepositoryParts {
  /** Where git is looked for, as in `PATH`. */
  readonly searchPath?: string
  readonly disk?: Disk
  readonly steps?: Steps
}

export class GitRepository {
  readonly path: string
  readonly #searchPath: string
  readonly #disk: Disk
  readonly #steps: Steps
  /** The pack of the newest revisions, if this process wrote it. */
  #hasLeftLock = false
  #growing: { readonly pack: GrowingPack; readonly name: string } | null = null

  private constructor(path: string, parts: GitRepositoryParts) {
    this.path = path
    this.#searchPath = parts.searchPath ?? DEFAULT_SEARCH_PATH
    this.#disk = parts.disk ?? REAL_DISK
    this.#steps = parts.steps ?? UNWATCHED
  }

  /** Opens the repository in the folder `path`; what is missing of one is made, what is there stays. */
  static async open(path: string, parts: GitRepositoryParts = {}): Promise<GitRepository> {
    const repository = new GitRepository(path, parts)
    for (const folder of ['objects/pack', 'objects/info', 'refs/heads'])
      await makeDirectoryDurably(join(path, folder), 0o755, parts.disk)
    await repository.#ensureFile('config', CONFIG)
    await repository.#ensureFile('HEAD', `ref: ${HEAD_TARGET}\n`)
    return repository
  }

  async #ensureFile(name: string, text: string): Promise<void> {
    if ((await this.#readIfThere(name)) === text) return
    await writeFileDurably(join(this.path, name), text, 0o644, this.#disk)
  }

  async #readIfThere(name: string): Promise<string | null> {
    try {
      return await this.#disk.readFile(join(this.path, name), 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
  }

  get #packs(): string {
    return join(this.path, 'objects', 'pack')
  }

  /** The commit that refs/heads/main names; null before the first revision. */
  async readTip(): Promise<Oid | null> {
    const loose = await this.#readIfThere(HEAD_TARGET)
    if (loose !== null) return parseOid(loose.trimEnd())
    const packed = await this.#readIfThere('packed-refs')
    const line = packed?.split('\n').find((candidate) => candidate.endsWith(` ${HEAD_TARGET}`))
    return line === undefined ? null : parseOid(line.slice(0, 40))
  }

  /**
   * Writes objects as one pack, on disk when it returns. The same objects again are no new pack. Returns the
   * pack's digest in hex; null when there is nothing to write.
   */
  async writePack(objects: readonly PackedObject[]): Promise<string | null> {
    if (objects.length === 0) return null
    return await this.#writeEntries((await GrowingPack.EMPTY.grow(objects)).pack.entries)
  }

  /**
   * The same into the pack that was written last, which is written anew, with deltas to what it has, and replaces the
   * one before; or into another pack when that one has grown enough. A revision after another costs what it changes.
   */
  async growPack(objects: readonly PackedObject[]): Promise<void> {
    if (objects.length === 0) return
    const before = this.#growing
    const { pack, isNew } = await (before?.pack ?? GrowingPack.EMPTY).grow(objects)
    const name = await this.#writeEntries(pack.entries)
    this.#growing = { pack, name }
    if (before !== null && !isNew && before.name !== name) await this.#removePack(before.name)
  }

  /** What is in another pack now. Git may be reading it: it looks for the other one then, as after its own repack. */
  async #removePack(name: string): Promise<void> {
    for (const end of ['idx', 'pack'])
      await removeQuietly(join(this.#packs, `pack-${name}.${end}`), this.#disk)
  }

  async #writeEntries(entries: readonly PackEntry[]): Promise<string> {
    const { parts, digest } = encodePack(entries)
    const name = digest.toString('hex')
    const pack = join(this.#packs, `pack-${name}.pack`)
    const index = join(this.#packs, `pack-${name}.idx`)
    if (!(await this.#isThere(pack)) || !(await this.#isThere(index))) {
      await this.#placePack(pack, parts, index, encodePackIndex(entries, digest))
    }
    // For a pack that is there too: the fsync after an earlier write of it may have failed.
    await syncDirectory(this.#packs, this.#disk)
    this.#steps.reached('pack.indexed')
    return name
  }

  async #placePack(pack: string, parts: readonly Buffer[], index: string, indexBytes: Buffer): Promise<void> {
    const temporaryPack = join(this.#packs, `tmp_pack_${randomUUID()}`)
    const temporaryIndex = join(this.#packs, `tmp_idx_${randomUUID()}`)
    try {
      const written = await Promise.allSettled([
        writeNewFile(temporaryPack, Buffer.concat(parts), 0o444, this.#disk),
        writeNewFile(temporaryIndex, indexBytes, 0o444, this.#disk),
      ])
      for (const result of written) if (result.status === 'rejected') throw result.reason
      this.#steps.reached('pack.written')
      // Git looks for indexes: the pack has to be there before its index is.
      await this.#disk.rename(temporaryPack, pack)
      this.#steps.reached('pack.placed')
      await this.#disk.rename(temporaryIndex, index)
    } catch (error) {
      for (const path of [temporaryPack, temporaryIndex]) await removeQuietly(path, this.#disk)
      throw error
    }
  }

  async #isThere(path: string): Promise<boolean> {
    return (await this.#disk.stat(path).catch(() => null)) !== null
  }

  /**
   * Makes refs/heads/main name `oid`: the step that makes a revision visible to git.
   * @throws {Error} when it names another commit than `expected`, or another writer holds the lock.
   */
  async updateTip(oid: Oid, expected: Oid | null): Promise<void> {
    const ref = join(this.path, HEAD_TARGET)
    const lock = `${ref}.lock`
    // Ours, of a try whose disk did not even let it go; another writer's is respected.
    if (this.#hasLeftLock) await this.#disk.rm(lock, { force: true })
    this.#hasLeftLock = false
    try {
      await writeNewFile(lock, `${oid}\n`, 0o644, this.#disk)
      this.#steps.reached('ref.locked')
      const tip = await this.readTip()
      if (tip !== expected)
        throw new Error(`${HEAD_TARGET} of ${this.path} is at ${tip}, not at ${expected}.`)
      await this.#disk.rename(lock, ref)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST')
        this.#hasLeftLock = !(await removeQuietly(lock, this.#disk))
      throw error
    }
    this.#steps.reached('ref.switched')
    await syncDirectory(join(this.path, 'refs', 'heads'), this.#disk)
  }

  /**
   * Removes what a crash left: temporary files, locks, halves of packs. Call it before the first write only.
   */
  async sweep(): Promise<void> {
    const packs = await this.#disk.readdir(this.#packs)
    const names = new Set(packs)
    const isHalf = (name: string): boolean =>
      (name.endsWith('.pack') && !names.has(name.replace(/pack$/, 'idx'))) ||
      (name.endsWith('.idx') && name.startsWith('pack-') && !names.has(name.replace(/idx$/, 'pack')))
    await this.#removeWhere(this.#packs, (name) => /^\.?tmp[_-]/.test(name) || isHalf(name))
    for (const folder of [this.path, join(this.path, 'refs', 'heads')])
      await this.#removeWhere(folder, (name) => /\.(lock|tmp)$/.test(name))
  }

  async #removeWhere(folder: string, isLeftover: (name: string) => boolean): Promise<void> {
    for (const name of (await this.#disk.readdir(folder)).filter(isLeftover))
      await this.#disk.rm(join(folder, name), { force: true })
  }

  /** Packs that git reads now; many make it slow, see `repack`. */
  async packCount(): Promise<number> {
    return (await this.#disk.readdir(this.#packs)).filter(
      (name) => name.endsWith('.idx') && name.startsWith('pack-'),
    ).length
  }

  /**
   * Joins small packs into larger ones, so that their number stays logarithmic. Readers and `writePack` may
   * go on.
   * @throws {Error} with git's own words when it fails; the repository is as it was then.
   */
  async repack(signal?: AbortSignal): Promise<void> {
    const args = ['-C', this.path, '-c', 'pack.threads=1', 'repack', '-d', '-n', '-q', '--geometric=2']
    const { output, finished } = this.#start(args, null, {}, signal)
    await buffer(output)
    const { exitStatus, complaint } = await finished
    if (exitStatus !== 0) throw new Error(`git repack of ${this.path} ended with ${exitStatus}: ${complaint}`)
  }

  /** Starts `git upload-pack --stateless-rpc` on one request. */
  uploadPack({ body, protocolVersion, signal }: UploadPackInput): GitProcess {
    const args = ['upload-pack', '--strict', '--stateless-rpc', this.path]
    return this.#start(args, body, { GIT_PROTOCOL: `version=${protocolVersion}` }, signal)
  }

  #start(
    args: readonly string[],
    input: Buffer | null,
    extra: Record<string, string>,
    signal?: AbortSignal,
  ): GitProcess {
    const child = spawn('git', args, {
      env: { ...this.#environment(), ...extra },
      stdio: 'pipe',
      ...(signal ? { signal } : {}),
    })
    // A git that ends early closes its input; its exit status says why.
    child.stdin.on('error', () => {})
    child.stdin.end(input ?? undefined)
    let complaint = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(0, MAX_COMPLAINT_CHARS)
    })
    const finished = new Promise<GitExit>((resolve, reject) => {
      child.on('error', (error) => (error.name === 'AbortError' ? undefined : reject(error)))
      child.on('close', (exitStatus) => resolve({ exitStatus, complaint: complaint.trim() }))
    })
    finished.catch(() => {})
    return { output: child.stdout, finished, stop: () => void child.kill() }
  }

  /** Nothing of the hub's own environment or of the machine's git configuration reaches git. */
  #environment(): Record<string, string> {
    return {
      PATH: this.#searchPath,
      HOME: '/nonexistent',
      LC_ALL: 'C',
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_TERMINAL_PROMPT: '0',
      // The repository may belong to another user than the hub runs as.
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: 'safe.directory',
      GIT_CONFIG_VALUE_0: '*',
    }
  }
}
