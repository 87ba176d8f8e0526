/** The hub as somebody of the demo meets it: over HTTP, with a token, like everybody else. */

export type Json = Readonly<Record<string, unknown>>

export class DemoClient {
  readonly #url: string
  readonly #token: string

  constructor(url: string, token: string) {
    this.#url = url
    this.#token = token
  }

  /** The same hub with another token. */
  as(token: string): DemoClient {
    return new DemoClient(this.#url, token)
  }

  /** Asks the API and gives its answer. @throws {Error} what the hub says, when it refuses. */
  async ask(method: string, path: string, body?: object | FormData): Promise<Json> {
    const isForm = body instanceof FormData
    const reply = await this.#send(`/api/v1${path}`, {
      method,
      ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) }),
      ...(body !== undefined && !isForm && { headers: { 'Content-Type': 'application/json' } }),
    })
    return (await reply.json()) as Json
  }

  async put(path: string, bytes: Buffer): Promise<void> {
    const headers = { 'Content-Type': 'application/octet-stream' }
    const reply = await this.#send(`/api/v1${path}`, { method: 'PUT', body: new Uint8Array(bytes), headers })
    await reply.arrayBuffer()
  }

  /** What stands at an address that is not the API's: a distfile, a file of an overlay. */
  async bytes(path: string): Promise<Buffer> {
    return Buffer.from(await (await this.#send(path, {})).arrayBuffer())
  }

  async #send(path: string, request: RequestInit): Promise<Response> {
    const headers = new Headers(request.headers)
    headers.set('Authorization', `Bearer ${this.#token}`)
    const reply = await fetch(this.#url + path, { ...request, headers })
    if (reply.ok) return reply
    throw new Error(`${request.method ?? 'GET'} ${path}: ${String(reply.status)} ${await reply.text()}`)
  }
}
