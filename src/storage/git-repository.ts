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
import { open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import type { ProtocolVersion } from '../git/advertisement.ts'
import { HEAD_TARGET } from '../git/advertisement.ts'
import { parseOid } from '../git/objects.ts'
import type { ObjectType, Oid } from '../git/objects.ts'
import { encodePack, encodePackIndex, packObject } from '../git/pack.ts'
import type { PackEntry } from '../git/pack.ts'
import { makeDirectoryDurably, syncDirectory, writeFileDurably } from './durable-write.ts'

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
export interface PackedObject {
  readonly type: ObjectType
  readonly oid: Oid
  readonly content: Buffer
}

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

export class GitRepository {
  readonly path: string
  readonly #searchPath: string

  private constructor(path: string, searchPath: string) {
    this.path = path
    this.#searchPath = searchPath
  }

  /**
   * Opens the repository in the folder `path`; what is missing of one is made, what is there stays.
   * `searchPath` is where git is looked for, as in `PATH`.
   */
  static async open(path: string, { searchPath = DEFAULT_SEARCH_PATH } = {}): Promise<GitRepository> {
    await makeDirectoryDurably(join(path, 'objects', 'pack'))
    await makeDirectoryDurably(join(path, 'objects', 'info'))
    await makeDirectoryDurably(join(path, 'refs', 'heads'))
    await ensureFile(join(path, 'config'), CONFIG)
    await ensureFile(join(path, 'HEAD'), `ref: ${HEAD_TARGET}\n`)
    return new GitRepository(path, searchPath)
  }

  get #packs(): string {
    return join(this.path, 'objects', 'pack')
  }

  /** The commit that refs/heads/main names; null before the first revision. */
  async readTip(): Promise<Oid | null> {
    const loose = await readIfThere(join(this.path, HEAD_TARGET))
    if (loose !== null) return parseOid(loose.trimEnd())
    const packed = await readIfThere(join(this.path, 'packed-refs'))
    const line = packed?.split('\n').find((candidate) => candidate.endsWith(` ${HEAD_TARGET}`))
    return line === undefined ? null : parseOid(line.slice(0, 40))
  }

  /**
   * Writes objects as one pack, on disk when it returns. The same objects again are no new pack. Returns the
   * pack's digest in hex; null when there is nothing to write.
   */
  async writePack(objects: readonly PackedObject[]): Promise<string | null> {
    const unique = new Map(objects.map((object) => [object.oid, object]))
    if (unique.size === 0) return null
    const entries: PackEntry[] = []
    for (const { type, oid, content } of unique.values()) entries.push(await packObject(type, oid, content))
    const { parts, digest } = encodePack(entries)
    const name = digest.toString('hex')
    const pack = join(this.#packs, `pack-${name}.pack`)
    const index = join(this.#packs, `pack-${name}.idx`)
    if ((await exists(pack)) && (await exists(index))) return name
    const [temporaryPack, temporaryIndex] = await Promise.all([
      this.#writeTemporary('tmp_pack', parts),
      this.#writeTemporary('tmp_idx', [encodePackIndex(entries, digest)]),
    ])
    // Git looks for indexes: the pack has to be there before its index is.
    await rename(temporaryPack, pack)
    await rename(temporaryIndex, index)
    await syncDirectory(this.#packs)
    return name
  }

  async #writeTemporary(prefix: string, parts: readonly Buffer[]): Promise<string> {
    const path = join(this.#packs, `${prefix}_${randomUUID()}`)
    await writeNewFile(path, parts, 0o444)
    return path
  }

  /**
   * Makes refs/heads/main name `oid`: the step that makes a revision visible to git.
   * @throws {Error} when it names another commit than `expected`, or another writer holds the lock.
   */
  async updateTip(oid: Oid, expected: Oid | null): Promise<void> {
    const ref = join(this.path, HEAD_TARGET)
    const lock = `${ref}.lock`
    await writeNewFile(lock, [Buffer.from(`${oid}\n`)], 0o644)
    try {
      const tip = await this.readTip()
      if (tip !== expected)
        throw new Error(`${HEAD_TARGET} of ${this.path} is at ${tip}, not at ${expected}.`)
      await rename(lock, ref)
    } catch (error) {
      await rm(lock, { force: true })
      throw error
    }
    await syncDirectory(join(this.path, 'refs', 'heads'))
  }

  /**
   * Removes what a crash left: temporary files, locks, halves of packs. Call it before the first write only.
   */
  async sweep(): Promise<void> {
    const packs = await readdir(this.#packs)
    const names = new Set(packs)
    const isHalf = (name: string): boolean =>
      (name.endsWith('.pack') && !names.has(name.replace(/pack$/, 'idx'))) ||
      (name.endsWith('.idx') && name.startsWith('pack-') && !names.has(name.replace(/idx$/, 'pack')))
    await removeWhere(this.#packs, packs, (name) => /^\.?tmp[_-]/.test(name) || isHalf(name))
    for (const folder of [this.path, join(this.path, 'refs', 'heads')]) {
      await removeWhere(folder, await readdir(folder), (name) => /\.(lock|tmp)$/.test(name))
    }
  }

  /** Packs that git reads now; many make it slow, see `repack`. */
  async packCount(): Promise<number> {
    return (await readdir(this.#packs)).filter((name) => name.endsWith('.idx') && name.startsWith('pack-'))
      .length
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

async function writeNewFile(path: string, parts: readonly Buffer[], mode: number): Promise<void> {
  await using handle = await open(path, 'wx', mode)
  await handle.writeFile(Buffer.concat(parts))
  await handle.sync()
}

async function ensureFile(path: string, text: string): Promise<void> {
  if ((await readIfThere(path)) !== text) await writeFileDurably(path, text)
}

async function readIfThere(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null
}

async function removeWhere(
  folder: string,
  names: readonly string[],
  isLeftover: (name: string) => boolean,
): Promise<void> {
  for (const name of names.filter(isLeftover)) await rm(join(folder, name), { force: true })
}
