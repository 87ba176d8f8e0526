/**
 * Sends a large file by `/uploads` (tus 1.0.0) and goes on where it was cut: in the same run over another connection,
 * also after the hub was started again, and in the next run by what `UploadMemory` knows.
 */
import type { Answer, Client } from './client.ts'
import { apiPath } from './api-path.ts'
import { EXIT } from './exit-status.ts'
import { Failure } from './failure.ts'
import { sizeText, timeText } from './format.ts'
import type { Patience } from './patience.ts'
import type { GivenFile } from './read-file.ts'
import type { UploadMemory } from './upload-memory.ts'

const TUS = { 'Tus-Resumable': '1.0.0' }
const CHUNK_TYPE = 'application/offset+octet-stream'

/** What passes by itself, or is mended by asking where the upload stands. */
const PASSING = new Set([
  'hub.unreachable',
  'request.truncated',
  'upload.busy',
  'upload.incomplete',
  'upload.offset_mismatch',
  'upload.unknown',
  'fault',
])

export interface Sending {
  readonly client: Client
  readonly file: GivenFile
  /** Of the file, in hex. */
  readonly sha512: string
  readonly memory: UploadMemory
  readonly patience: Patience
  /** Hears how far the file is sent. */
  readonly onSent: (bytes: number) => void
  /** Hears what a person should know while it goes on. */
  readonly note: (text: string) => void
}

interface Standing {
  readonly id: string
  readonly sizeBytes: number
  readonly offset: number
  readonly expiresAt: string
}

/** @throws {Failure} `upload.too_large`, when the hub says beforehand that it takes no such file. */
export async function refuseByLimit(client: Client, file: GivenFile): Promise<void> {
  const fields = await client.fields('OPTIONS', apiPath('uploads'), {})
  const most = Number(fields['tus-max-size'] ?? Infinity)
  if (file.sizeBytes <= most) return
  const detail = `${file.path} has ${sizeText(file.sizeBytes)}, and this hub takes ${sizeText(most)}; make it smaller or ask its administrator`
  throw new Failure('upload.too_large', detail, EXIT.refused)
}

/**
 * Sends the file and then `use`s the finished upload, which must bear repetition. What fails in passing is tried again
 * while the patience lasts.
 * @throws {Failure} what the hub refuses; or, after the last try, what failed and how to go on.
 */
export async function sendResumably<T>(
  sending: Sending,
  use: (id: string) => Promise<Answer<T>>,
): Promise<Answer<T>> {
  let last: Standing | null = null
  for (;;) {
    try {
      const upload: Standing = await standing(sending, last)
      if (last === null && upload.offset > 0) sending.note(resumedText(sending.file, upload))
      if (last?.id === upload.id && upload.offset > last.offset) sending.patience.renew()
      last = upload
      await sendRest(sending, upload)
      return await use(upload.id)
    } catch (error) {
      if (!(error instanceof Failure) || !PASSING.has(error.code)) throw error
      sending.note(`portage-hub: ${error.message.split('\n', 1)[0] ?? ''}; trying again`)
      if (!(await sending.patience.pause())) throw givenUp(error, sending.file, last)
    }
  }
}

/** Where the upload stands: the one of this run, one of an earlier run, or a new one. */
async function standing(sending: Sending, last: Standing | null): Promise<Standing> {
  const { client, file, sha512, memory } = sending
  const known = last?.id ?? memory.find(sha512)
  const found = known === null ? null : await find(client, known)
  if (found?.sizeBytes === file.sizeBytes) return found
  const begun = await begin(client, file)
  memory.remember(sha512, begun.id, begun.expiresAt)
  return begun
}

async function find(client: Client, id: string): Promise<Standing | null> {
  try {
    return await client.get<Standing>(apiPath('uploads', id))
  } catch (error) {
    // It expired, or the hub is another one than before.
    if (error instanceof Failure && error.code === 'upload.unknown') return null
    throw error
  }
}

async function begin(client: Client, { sizeBytes }: GivenFile): Promise<Standing> {
  const fields = await client.fields('POST', apiPath('uploads'), { ...TUS, 'Upload-Length': sizeBytes })
  const id = fields.location?.split('/').at(-1) ?? ''
  const expires = new Date(String(fields['upload-expires']))
  return { id, sizeBytes, offset: 0, expiresAt: Number.isNaN(expires.getTime()) ? '' : expires.toISOString() }
}

async function sendRest({ client, file, onSent }: Sending, { id, offset }: Standing): Promise<void> {
  if (offset === file.sizeBytes) return
  await client.fields(
    'PATCH',
    apiPath('uploads', id),
    { ...TUS, 'Upload-Offset': offset },
    { contentType: CHUNK_TYPE, sizeBytes: file.sizeBytes - offset, chunks: file.chunks(onSent, offset) },
  )
}

/** Ends an upload whose bytes are of no use. */
export async function endUpload(client: Client, id: string): Promise<void> {
  await client.fields('DELETE', apiPath('uploads', id), TUS)
}

function resumedText(file: GivenFile, { offset }: Standing): string {
  return `going on where an earlier run was cut: the hub has ${sizeText(offset)} of ${sizeText(file.sizeBytes)}`
}

function givenUp(error: Failure, file: GivenFile, last: Standing | null): Failure {
  const kept =
    last === null
      ? 'nothing was sent yet; run the same command again'
      : `what the hub has of ${file.path} is kept until ${timeText(last.expiresAt)} UTC at least: run the same command again to go on from there`
  return new Failure(error.code, `${error.message}\n${kept}`, error.exitStatus, error.problem)
}
