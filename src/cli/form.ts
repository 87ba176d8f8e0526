/** A form with files, as curl's `-F` sends it, streamed and of known length. Source: RFC 7578. */
import { randomUUID } from 'node:crypto'
import type { StreamedBody } from './client.ts'

export interface FormFile {
  readonly field: string
  readonly fileName: string
  readonly sizeBytes: number
  readonly chunks: AsyncIterable<Buffer>
}

/** The fields come first, so that the hub knows them before the bytes; then the files in their order. */
export function streamedForm(
  fields: readonly (readonly [name: string, value: string])[],
  files: readonly FormFile[],
  boundary = `portage-hub-${randomUUID()}`,
): StreamedBody {
  const texts = fields.map(([name, value]) =>
    Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="${quoted(name)}"\r\n\r\n${value}\r\n`,
    ),
  )
  const heads = files.map(({ field, fileName }) =>
    Buffer.from(
      `--${boundary}\r\nContent-Disposition: form-data; name="${quoted(field)}"; filename="${quoted(fileName)}"\r\n` +
        'Content-Type: application/octet-stream\r\n\r\n',
    ),
  )
  const lineEnd = Buffer.from('\r\n')
  const end = Buffer.from(`--${boundary}--\r\n`)
  const sizes = [...texts, ...heads, end].map((part) => part.byteLength)
  const bodies = files.map(({ sizeBytes }) => sizeBytes + lineEnd.byteLength)
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    sizeBytes: [...sizes, ...bodies].reduce((sum, size) => sum + size, 0),
    chunks: chunksOf(),
  }

  async function* chunksOf(): AsyncGenerator<Buffer> {
    yield* texts
    for (const [at, { chunks }] of files.entries()) {
      yield heads[at] ?? Buffer.alloc(0)
      yield* chunks
      yield lineEnd
    }
    yield end
  }
}

/** As browsers and curl write names: quotes and line breaks would end the header. */
function quoted(name: string): string {
  return name.replaceAll('"', '%22').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}
