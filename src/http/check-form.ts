/** The form of a check: its fields, and its reports as files named by their format, held in memory and bounded. */
import { promisify } from 'node:util'
import type { Request, RequestHandler, Response } from 'express'
import multer from 'multer'
import type { StorageEngine } from 'multer'
import { lineOf, REPORT_FORMATS } from '../checks/report.ts'
import type { ReportFormat } from '../checks/report.ts'
import type { SentReport } from '../checks/record-check.ts'
import { HubError } from '../errors.ts'

/** All reports of one check together. */
const MOST_BYTES = 32 * 1024 * 1024
const MOST_FILES = 32

const received = new WeakMap<object, number>()

const storage: StorageEngine = {
  _handleFile(request, file, done) {
    const pieces: Buffer[] = []
    file.stream.on('data', (piece: Buffer) => {
      const total = (received.get(request) ?? 0) + piece.byteLength
      received.set(request, total)
      // The rest is read and dropped: the form goes on behind it.
      if (total <= MOST_BYTES) pieces.push(piece)
    })
    file.stream.once('error', done)
    file.stream.once('end', () => {
      if ((received.get(request) ?? 0) > MOST_BYTES) done(tooLarge())
      else done(null, { buffer: Buffer.concat(pieces) })
    })
  },
  _removeFile(_request, _file, done) {
    done(null)
  },
}

const form = multer({
  storage,
  limits: { fieldSize: 8192, fields: 10, files: MOST_FILES, parts: MOST_FILES + 10, fieldNameSize: 100 },
  defParamCharset: 'utf8',
}).fields(REPORT_FORMATS.map((name) => ({ name, maxCount: MOST_FILES })))

/**
 * Reads a form into `request.body`, if the body is one; `reportsOf` has its files then.
 * @throws {HubError} `request.invalid`, `check.report_too_large`.
 */
export const receiveCheckForm: RequestHandler = async (request: Request, response: Response, next) => {
  if (request.is('multipart/form-data') === false) {
    next()
    return
  }
  if (request.get('Idempotency-Key') !== undefined)
    throw new HubError('request.invalid', 'a check that is sent as a form takes no Idempotency-Key')
  if (Number(request.get('Content-Length') ?? 0) > MOST_BYTES + 1024 * 1024) throw tooLarge()
  await promisify(form)(request, response)
  next()
}

/** The reports of a form, in the order of their formats; none where the body was JSON. */
export function reportsOf(request: Request): readonly SentReport[] {
  const files = (request.files ?? {}) as Readonly<Partial<Record<ReportFormat, Express.Multer.File[]>>>
  return REPORT_FORMATS.flatMap((format) =>
    (files[format] ?? []).map(({ originalname, buffer }) => ({
      format,
      name: lineOf(originalname) ?? format,
      bytes: buffer,
    })),
  )
}

function tooLarge(): HubError {
  const limit = `${String(MOST_BYTES / 1024 / 1024)} MiB`
  return new HubError(
    'check.report_too_large',
    `the reports of one check have at most ${limit} together; send fewer, or without the tests' output`,
    { limitBytes: MOST_BYTES },
  )
}
