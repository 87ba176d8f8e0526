/**
 * Sends a part of a file: the next piece is read while the one before is sent. Pieces are large, since each costs a way
 * through the thread pool, and become smaller when many clients download at once.
 */
import type { FileHandle } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'

const MOST_BYTES = 1 << 20
const LEAST_BYTES = 64 * 1024
/** Memory for all downloads together, as long as the least per download allows it. */
const BUDGET_BYTES = 64 << 20

let active = 0

/**
 * Sends bytes `start` to `end` (inclusive) and ends the response; resolves when they are with the kernel, or when the
 * client has left.
 * @throws the file system's error; the response is cut then, so that nobody takes a part for the whole.
 */
export async function pumpFile(
  file: FileHandle,
  response: ServerResponse,
  start: number,
  end: number,
): Promise<void> {
  active++
  try {
    await pump(file, response, { position: start, end: end + 1 })
  } catch (error) {
    response.destroy()
    throw error
  } finally {
    active--
  }
}

interface Part {
  position: number
  /** Exclusive. */
  readonly end: number
}

async function pump(file: FileHandle, response: ServerResponse, part: Part): Promise<void> {
  const pieceBytes = Math.min(Math.max(LEAST_BYTES, BUDGET_BYTES / 2 / active), MOST_BYTES) & ~0xfff
  const buffers = [0, 1].map(() => Buffer.allocUnsafeSlow(Math.min(pieceBytes, part.end - part.position)))
  let sent: Promise<boolean> = Promise.resolve(true)
  for (let turn = 0; part.position < part.end; turn++) {
    const piece = await readPiece(file, buffers[turn % 2] ?? Buffer.alloc(0), part)
    if (!(await sent) || response.destroyed) return
    sent = write(response, piece)
  }
  if (await sent) response.end()
}

async function readPiece(file: FileHandle, buffer: Buffer, part: Part): Promise<Buffer> {
  const wanted = Math.min(buffer.length, part.end - part.position)
  const { bytesRead } = await file.read(buffer, 0, wanted, part.position)
  if (bytesRead === 0)
    throw new Error(`The file ends at byte ${String(part.position)}, before what was promised.`)
  part.position += bytesRead
  return buffer.subarray(0, bytesRead)
}

/** Whether the piece is with the kernel, so that its buffer is free; false when the client has left. */
async function write(response: ServerResponse, piece: Buffer): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>()
  const leave = (): void => {
    resolve(false)
  }
  response.once('close', leave)
  response.write(piece, (error) => {
    response.off('close', leave)
    resolve(!error)
  })
  return await promise
}
