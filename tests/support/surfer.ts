/** A browser that only follows links: keeps cookies by origin and goes where it is sent. */

export interface Arrived {
  readonly url: string
  readonly status: number
  readonly text: string
  readonly headers: Headers
}

export class Surfer {
  readonly #cookies = new Map<string, Map<string, string>>()

  /** @param stop an address that is not gone to any more; what led there is answered. */
  async go(address: string, stop: (url: URL) => boolean = () => false): Promise<Arrived> {
    let url = new URL(address)
    for (let hops = 0; hops < 20; hops++) {
      const response = await fetch(url, { redirect: 'manual', headers: { Cookie: this.#header(url) } })
      this.#keep(url, response.headers.getSetCookie())
      const location = response.headers.get('Location')
      if (location === null || response.status < 300 || response.status >= 400)
        return {
          url: url.href,
          status: response.status,
          text: await response.text(),
          headers: response.headers,
        }
      await response.body?.cancel()
      url = new URL(location, url)
      if (stop(url)) return { url: url.href, status: response.status, text: '', headers: response.headers }
    }
    throw new Error(`${address} leads round and round`)
  }

  /** The cookies for an address, as the header has them. */
  cookies(address: string): string {
    return this.#header(new URL(address))
  }

  #header({ origin }: URL): string {
    return [...(this.#cookies.get(origin) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  #keep({ origin }: URL, lines: readonly string[]): void {
    const jar = this.#cookies.get(origin) ?? new Map<string, string>()
    this.#cookies.set(origin, jar)
    for (const line of lines) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      const isGone = /expires=Thu, 01 Jan 1970/i.test(line) || value === ''
      if (isGone) jar.delete(name)
      else jar.set(name, value)
    }
  }
}
