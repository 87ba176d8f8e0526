/**
 * Uploads a build: its digest first, so that the hub can tell whether all bytes arrived; then the bytes, in one request
 * or, if there are many, so that a connection that breaks costs nothing (`resumable-upload.ts`).
 */
import { createHash } from 'node:crypto'
import { basename } from 'node:path'
import type { Command } from 'commander'
import type { ClientSettings } from '../config.ts'
import type { BuildAnswer, EnvironmentAnswer, PromotionAnswer } from './answers.ts'
import { apiPath } from './api-path.ts'
import { asPublisher } from './ci-identity.ts'
import type { Answer, Client, Page, Query } from './client.ts'
import { EXIT } from './exit-status.ts'
import type { ExitStatus } from './exit-status.ts'
import { Failure } from './failure.ts'
import { facts, harmless, sizeText, timeText, tookText } from './format.ts'
import { streamedForm } from './form.ts'
import type { FormFile } from './form.ts'
import { parseCount, parseSeconds, parseSize } from './lists.ts'
import { Patience } from './patience.ts'
import { Progress } from './progress.ts'
import { GivenFile, readWhole } from './read-file.ts'
import { endUpload, refuseByLimit, sendResumably } from './resumable-upload.ts'
import { DRY_RUN, remote } from './session.ts'
import type { Session } from './session.ts'
import { UploadMemory } from './upload-memory.ts'

interface Options {
  readonly build?: number
  readonly version?: string
  readonly recipe?: string
  readonly ebuildTemplate?: string
  readonly commit?: string
  readonly branch?: string
  readonly ciUrl?: string
  readonly promote?: string
  readonly ciFacts: boolean
  readonly dryRun?: boolean
  /** Bytes. */
  readonly resumableAbove: number
  /** Seconds. */
  readonly retryFor: number
}

type UploadAnswer = BuildAnswer & {
  readonly promotions?: readonly PromotionAnswer[]
  readonly wouldArchive?: boolean
  readonly ebuild?: string | null
}

const EXAMPLES = `portage-hub push shop build/shop.tar.gz --build 45 --version 6.1.0-rc.2
portage-hub push shop build/shop.tar.zst --build 46 --promote production`

export function addPush(program: Command): void {
  const command = program
    .command('push')
    .description("archive a build's tarball, and publish it where the policies say")
    .argument('<app>', 'its name; the first build makes it')
    .argument('<tarball>', 'a .tar, plain or compressed with gzip, bzip2, xz or zstd')
    .option('-b, --build <number>', "the build number (default: the app's next one)", parseCount)
    .option('-v, --version <version>', 'the semantic version (default: none, only the build number)')
    .option('--recipe <file>', 'the recipe, in place of the one in the tarball')
    .option('--ebuild-template <file>', 'a whole ebuild, in place of a recipe')
    .option('--commit <id>', "the commit it was built from (default: the CI job's)")
    .option('--branch <name>', "the branch it was built from (default: the CI job's)")
    .option('--ci-url <url>', "address of the CI job (default: the CI job's)")
    .option('--no-ci-facts', 'take nothing from the variables of the CI job')
    .option(
      '--promote <where>',
      'true: where the policies say (the default); false: archive only; or an environment to publish it in as well',
    )
    .option(
      '--resumable-above <size>',
      'send larger files so that they can go on where they were cut (default: 64M)',
      parseSize,
      64 * 2 ** 20,
    )
    .option(
      '--retry-for <time>',
      'how long to try again such a file while nothing moves (default: 2m)',
      parseSeconds,
      120,
    )
    .option(...DRY_RUN)
  remote<Options>(command, EXAMPLES, async (anySession, options, app = '', path = '') => {
    const session = await asPublisher(anySession, app)
    await using file = await GivenFile.open(path)
    const startedMs = performance.now()
    const { status, body } = await send(session, options, app, file)
    const tookSec = (performance.now() - startedMs) / 1000
    session.terminal.note(`${sizeText(file.sizeBytes)} checked and sent in ${tookText(tookSec)}`)
    return await tell(session, options, body, status === 201)
  })
}

type Fields = readonly (readonly [name: string, value: string])[]

async function send(
  session: Session,
  options: Options,
  app: string,
  file: GivenFile,
): Promise<Answer<UploadAnswer>> {
  const { client, terminal, settings } = session
  const fields = fieldsOf(options, settings)
  const isLarge = file.sizeBytes > options.resumableAbove
  await textFiles(options)
  await checkBefore(client, app, fields)
  if (isLarge) await refuseByLimit(client, file)
  using progress = new Progress(terminal)
  const sha512 = await digestOf(file, progress)
  const archive = async (more: Fields, files: readonly FormFile[]): Promise<Answer<UploadAnswer>> => {
    const all = [...fields, ['sha512', sha512] as const, ...more]
    const body = streamedForm(all, [...(await textFiles(options)), ...files])
    const query: Query = { dryRun: options.dryRun }
    return await client.upload<UploadAnswer>(apiPath('apps', app, 'builds'), query, body)
  }
  const onSent = (bytes: number): void => {
    progress.bytes('sending', bytes, file.sizeBytes)
  }
  if (isLarge) return await sendLarge(session, options, { file, sha512, onSent, progress }, archive)
  const fileName = basename(file.path)
  const tarball = { field: 'tarball', fileName, sizeBytes: file.sizeBytes, chunks: file.chunks(onSent) }
  return await archive([], [tarball])
}

interface LargeFile {
  readonly file: GivenFile
  readonly sha512: string
  readonly onSent: (bytes: number) => void
  readonly progress: Progress
}

async function sendLarge(
  { client, terminal, settings }: Session,
  { retryFor, dryRun }: Options,
  { file, sha512, onSent, progress }: LargeFile,
  archive: (more: Fields, files: readonly FormFile[]) => Promise<Answer<UploadAnswer>>,
): Promise<Answer<UploadAnswer>> {
  const memory = new UploadMemory(settings.stateFolder, client.address)
  const note = (text: string): void => {
    progress[Symbol.dispose]()
    terminal.note(text)
  }
  const sending = { client, file, sha512, memory, onSent, note, patience: new Patience(retryFor * 1000) }
  const answer = await sendResumably(sending, async (id) => {
    try {
      return await archive([['upload', id]], [])
    } catch (error) {
      // The file changed while it was sent, or on its way: these bytes are of no use to anybody.
      if (error instanceof Failure && error.code === 'upload.digest_mismatch') {
        memory.forget(sha512)
        await endUpload(client, id)
      }
      throw error
    }
  })
  // After a dry run the bytes wait for the real one.
  if (dryRun !== true) memory.forget(sha512)
  return answer
}

async function digestOf(file: GivenFile, progress: Progress): Promise<string> {
  const digest = createHash('sha512')
  const chunks = file.chunks((bytes) => {
    progress.bytes('checking', bytes, file.sizeBytes)
  })
  for await (const chunk of chunks) digest.update(chunk)
  return digest.digest('hex')
}

/**
 * The same form without its tarball. A hub that is not there, a token without the right or a field that does not hold
 * is better heard of before a large file is read and sent; all that may be wrong is that the tarball is missing.
 */
async function checkBefore(client: Client, app: string, fields: Fields): Promise<void> {
  try {
    await client.upload(apiPath('apps', app, 'builds'), { dryRun: true }, streamedForm(fields, []))
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'upload.missing_tarball') throw error
  }
}

function fieldsOf(options: Options, { ci }: ClientSettings): Fields {
  const { build, version, promote } = options
  const facts = options.ciFacts ? ci : { commit: null, branch: null, url: null }
  const fields: Readonly<Record<string, string | null | undefined>> = {
    build: build === undefined ? null : String(build),
    version,
    promote: promote ?? 'true',
    commit: options.commit ?? facts.commit,
    branch: options.branch ?? facts.branch,
    ciUrl: options.ciUrl ?? facts.url,
  }
  return Object.entries(fields).flatMap(([name, value]) =>
    value === null || value === undefined ? [] : [[name, value] as const],
  )
}

/** As files, so that the hub sees their very bytes and can say what is wrong with them. Each is read once per request. */
async function textFiles({ recipe, ebuildTemplate }: Options): Promise<readonly FormFile[]> {
  return [...(await textFile('recipe', recipe)), ...(await textFile('ebuild.template', ebuildTemplate))]
}

async function textFile(field: string, path: string | undefined): Promise<readonly FormFile[]> {
  if (path === undefined) return []
  const content = await readWhole(path)
  return [{ field, fileName: basename(path), sizeBytes: content.byteLength, chunks: only(content) }]
}

async function* only(content: Buffer): AsyncGenerator<Buffer> {
  yield content
}

async function tell(
  session: Session,
  options: Options,
  answer: UploadAnswer,
  isNew: boolean,
): Promise<ExitStatus> {
  if (options.dryRun === true) {
    session.show(answer, dryRunText(answer))
    return EXIT.done
  }
  const hint = session.json ? '' : await promotionHint(session.client, answer)
  session.show(answer, `${archivedText(answer, isNew)}${hint}`)
  const asked = answer.promotions?.findLast(({ environment }) => environment === options.promote)
  const isReleased = answer.releases.some(
    ({ environment, state }) => environment === options.promote && state === 'released',
  )
  return asked === undefined || asked.state === 'released' || isReleased ? EXIT.done : EXIT.refused
}

function dryRunText(answer: UploadAnswer): string {
  const name = `${answer.app} build ${String(answer.build)}`
  if (answer.wouldArchive === false) return `${name} is archived already, with these very bytes.`
  const ebuild = answer.ebuild ? `\n\nIts ebuild:\n\n${harmless(answer.ebuild).trimEnd()}` : ''
  return `${name} would be archived as ${answer.cpv}.${ebuild}`
}

function archivedText(answer: UploadAnswer, isNew: boolean): string {
  const { app, build, cpv, tarball, releases, promotions = [] } = answer
  const how = isNew ? 'is archived as' : `was archived already (${timeText(answer.receivedAt)} UTC) as`
  const living = releases.filter(({ state }) => state === 'released')
  const stopped = promotions.filter(
    ({ state, environment }) =>
      state !== 'released' && !living.some((release) => release.environment === environment),
  )
  return [
    `${app} build ${String(build)} ${how} ${cpv}`,
    facts([
      ['tarball', `${tarball.name}, ${sizeText(tarball.sizeBytes)}`],
      ['sha512', `${tarball.sha512.slice(0, 32)}…, as sent`],
      ...living.map(
        ({ environment, revision }) =>
          [environment, `released in revision ${String(revision)} of its overlay`] as const,
      ),
      ...stopped.map(
        ({ environment, state, detail }) =>
          [environment, `NOT released: ${state}: ${detail ?? 'no reason was given'}`] as const,
      ),
    ]),
  ].join('\n')
}

/** Where it could go next. Who may not read the environments is told the verb alone. */
async function promotionHint(client: Client, { app, build, releases }: BuildAnswer): Promise<string> {
  const known = await client.get<Page<EnvironmentAnswer>>(apiPath('environments')).catch(() => null)
  const names = known?.items.map(({ name }) => name) ?? []
  const taken = new Set(releases.filter(({ state }) => state === 'released').map((r) => r.environment))
  const next = names.find((name) => !taken.has(name))
  if (next === undefined && names.length > 0) return ''
  return `\nNext: portage-hub promote ${app} ${String(build)} ${next ?? '<environment>'}`
}
