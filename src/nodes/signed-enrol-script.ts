/** `/enroll.sh` of a hub, and the signature by which a machine that knows the hub's key can believe it. */
import type { Hub } from '../hub.ts'
import { renderEnrolScript } from './enrol-script.ts'
import { trustAnchors } from './trust-anchors.ts'

type Needs = Pick<Hub, 'config' | 'clock' | 'overlayKeys' | 'binhostKeys'>

export class EnrolScript {
  readonly #hub: Needs
  #signed: { readonly what: string; readonly signature: Promise<string> } | null = null

  constructor(hub: Needs) {
    this.#hub = hub
  }

  /** With the keys that there are now. */
  get text(): string {
    const { publicUrl, overlayPrefix } = this.#hub.config
    return renderEnrolScript({ hub: publicUrl, overlayPrefix, anchors: trustAnchors(this.#hub) })
  }

  /**
   * ASCII-armoured and detached, by the key that signs overlays now. Made once for each text and key: everybody may ask, as
   * often as they like.
   */
  async signature(): Promise<string> {
    const { text } = this
    const key = this.#hub.overlayKeys.current
    const what = `${key.fingerprint} ${text}`
    if (this.#signed?.what !== what)
      this.#signed = { what, signature: key.sign(Buffer.from(text), this.#hub.clock.now()) }
    return await this.#signed.signature
  }
}
