/**
 * An HTTP/1.1 connection that costs the one who asks as little as Node can: answers are read into one buffer, counted,
 * and forgotten but for their beginning, unless all of them is wanted. Source: RFC 9112 "Message Body Length", "Chunked Transfer Coding".
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import type { LoadRequest } from './wrk.ts'

const BUFFER_BYTES = 512 * 1024
const BEGINNING_BYTES = 4096

/** Buffers of connections that were closed: fresh memory for each would cost more than what is read into it. */
const spareBuffers: Buffer[] = []

export interface LightReply {
  readonly status: number
  /** Of the body, without what carries it. */
  readonly sizeBytes: number
  /** The first 4 KiB of the body; the whole of it, if that was asked for. */
  readonly beginning: Buffer
}

export interface LightRequest extends LoadRequest {
  readonly keepsBody?: boolean
}

export class LightConnection {
  readonly #socket: Socket
  readonly #port: number
  readonly #buffer = spareBuffers.pop() ?? Buffer.allocUnsafe(BUFFER_BYTES)
  #answer: ReplyReader | null = null

  constructor(port: number) {
    this.#port = port
    const onread = {
      buffer: this.#buffer,
      callback: (count: number, buffer: Uint8Array) => {
        this.#answer?.take(Buffer.from(buffer.buffer, buffer.byteOffset, count))
        return true
      },
    }
    this.#socket = connect({ port, host: '127.0.0.1', noDelay: true, onread })
    const fail = (error?: Error): void => this.#answer?.fail(error ?? new Error('the connection was closed'))
    this.#socket.on('error', fail).on('close', () => {
      fail()
      spareBuffers.push(this.#buffer)
    })
  }

  /** One at a time. */
  async ask({ method, path, headers, body, keepsBody = false }: LightRequest): Promise<LightReply> {
    if (this.#socket.connecting) await once(this.#socket, 'connect')
    this.#answer = new ReplyReader(keepsBody ? Infinity : BEGINNING_BYTES)
    const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
    const length = body === undefined ? '' : `content-length: ${body.byteLength}\r\n`
    const head = `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1:${this.#port}\r\n${fields.join('')}${length}\r\n`
    this.#socket.write(body === undefined ? head : Buffer.concat([Buffer.from(head), body]))
    return await this.#answer.reply
  }

  close(): void {
    this.#socket.destroy()
  }
}

/** Takes an answer as it comes, in pieces cut anywhere. */
class ReplyReader {
  readonly reply: Promise<LightReply>
  readonly fail: (error: Error) => void
  readonly #resolve: (reply: LightReply) => void
  #head = ''
  #status = 0
  /** What is left of the body, or of the chunk; null while a header or the size of a chunk is read. */
  #left: number | null = null
  #isChunked = false
  #line = ''
  #sizeBytes = 0
  readonly #keptBytes: number
  readonly #kept: Buffer[] = []

  constructor(keptBytes: number) {
    this.#keptBytes = keptBytes
    const { promise, resolve, reject } = Promise.withResolvers<LightReply>()
    this.reply = promise
    this.fail = reject
    this.#resolve = resolve
  }

  take(bytes: Buffer): void {
    let at = this.#status === 0 ? this.#takeHead(bytes) : 0
    while (this.#status !== 0 && at < bytes.byteLength) {
      at = this.#left === null ? this.#takeChunkSize(bytes, at) : this.#takeBody(bytes, at)
    }
  }

  #takeHead(bytes: Buffer): number {
    const before = this.#head.length
    this.#head += bytes.toString('latin1')
    const end = this.#head.indexOf('\r\n\r\n')
    if (end < 0) return bytes.byteLength
    const head = this.#head.slice(0, end).toLowerCase()
    this.#status = Number(head.slice(9, 12))
    this.#isChunked = head.includes('\r\ntransfer-encoding: chunked')
    const length = /\r\ncontent-length: (\d+)/.exec(head)?.[1]
    if (!this.#isChunked) this.#left = Number(length ?? 0)
    if (this.#left === 0) this.#end()
    return end + 4 - before
  }

  #takeBody(bytes: Buffer, at: number): number {
    const count = Math.min(this.#left ?? 0, bytes.byteLength - at)
    const kept = Math.min(count, this.#keptBytes - this.#sizeBytes)
    if (kept > 0) this.#kept.push(Buffer.from(bytes.subarray(at, at + kept)))
    this.#sizeBytes += count
    this.#left = (this.#left ?? 0) - count
    if (this.#left === 0) {
      if (this.#isChunked) this.#left = null
      else this.#end()
    }
    return at + count
  }

  /** `\r\n` of the chunk before, then `<hex>\r\n`; the last has no size and is followed by an empty line. */
  #takeChunkSize(bytes: Buffer, at: number): number {
    this.#line += String.fromCharCode(bytes[at] ?? 0)
    if (this.#line === '0\r\n\r\n' || this.#line === '\r\n0\r\n\r\n') this.#end()
    const size = /^(?:\r\n)?([0-9a-f]+)\r\n$/i.exec(this.#line)?.[1]
    if (size !== undefined && parseInt(size, 16) > 0) {
      this.#left = parseInt(size, 16)
      this.#line = ''
    }
    return at + 1
  }

  #end(): void {
    this.#resolve({ status: this.#status, sizeBytes: this.#sizeBytes, beginning: Buffer.concat(this.#kept) })
  }
}
