/** A way to a hub that breaks where the test says: connections end without a word after so many bytes towards it. */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'

export interface CuttingProxy extends AsyncDisposable {
  readonly url: string
  /** Where connections lead; null: nobody is there. */
  target: string | null
  /** Bytes after which a connection is cut, one number for each cut to come. */
  readonly cuts: number[]
  /** Hears of each cut, before the next connection is let through. */
  onCut: () => Promise<void>
  /** All bytes that went towards the hub. */
  readonly sentBytes: number
}

export async function cuttingProxy(target: string): Promise<CuttingProxy> {
  const open = new Set<Socket>()
  let ready = Promise.resolve()
  const server = createServer((incoming) => {
    track(open, incoming)
    void ready.then(() => {
      pass(incoming)
    })
  })
  const proxy = {
    target: target as string | null,
    cuts: [] as number[],
    onCut: async () => {},
    sentBytes: 0,
    url: '',
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  function pass(incoming: Socket): void {
    if (proxy.target === null) {
      incoming.resetAndDestroy()
      return
    }
    const { hostname, port } = new URL(proxy.target)
    const outgoing = connect(Number(port), hostname)
    track(open, outgoing)
    let bytes = 0
    incoming.on('data', (chunk: Buffer) => {
      bytes += chunk.byteLength
      proxy.sentBytes += chunk.byteLength
      const limit = proxy.cuts[0] ?? Infinity
      if (bytes > limit) {
        proxy.cuts.shift()
        // What is within the limit arrives: a cut may come at any byte.
        outgoing.write(chunk.subarray(0, chunk.byteLength - (bytes - limit)), () => {
          outgoing.destroy()
          incoming.resetAndDestroy()
        })
        incoming.removeAllListeners('data').resume()
        ready = ready.then(proxy.onCut)
      } else if (!outgoing.write(chunk)) incoming.pause()
    })
    outgoing.on('drain', () => incoming.resume())
    outgoing.pipe(incoming)
    incoming.once('close', () => outgoing.destroy())
    outgoing.once('close', () => incoming.destroy())
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy.url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`
  return proxy
}

function track(open: Set<Socket>, socket: Socket): void {
  open.add(socket)
  socket.on('error', () => {})
  socket.once('close', () => open.delete(socket))
}
