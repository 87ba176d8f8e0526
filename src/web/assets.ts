/** The files that browsers fetch besides pages: read once, named by their digest, compressed once. */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants, brotliCompressSync, gzipSync } from 'node:zlib'
import type { AssetAddresses } from './page.ts'

export interface Asset {
  readonly address: string
  readonly type: string
  readonly bytes: Buffer
  readonly gzip: Buffer
  readonly brotli: Buffer
}

const packages = createRequire(import.meta.url)

const own = (name: string): string => readFileSync(new URL(`assets/${name}`, import.meta.url), 'utf8')
/** Without the address of a map of its source, which is not served. */
const of = (name: string): string =>
  readFileSync(packages.resolve(name), 'utf8').replace(/^\/\/# sourceMappingURL=.*$/m, '')

/** In the order in which they overrule each other. */
const STYLES = ['frame', 'components', 'administration', 'search', 'upload']

interface Assets {
  readonly addresses: AssetAddresses
  readonly assets: readonly Asset[]
}

let read: Assets | undefined

/** Each file is one request: Pico and ours, htmx and ours. */
export function readAssets(): Assets {
  return (read ??= readAnew())
}

function readAnew(): Assets {
  const styles = [of('@picocss/pico/css/pico.min.css'), ...STYLES.map((name) => own(`style/${name}.css`))]
  const style = asset('hub', 'css', 'text/css', styles.join('\n'))
  const scripts = [of('htmx.org/dist/htmx.min.js'), own('hub.js'), own('search.js')]
  const script = asset('hub', 'js', 'text/javascript', scripts.join('\n'))
  const uploads = [of('tus-js-client/dist/tus.min.js'), own('upload.js')]
  const upload = asset('upload', 'js', 'text/javascript', uploads.join('\n'))
  const icon = asset('icon', 'svg', 'image/svg+xml', own('icon.svg'))
  const addresses = {
    style: style.address,
    script: script.address,
    icon: icon.address,
    upload: upload.address,
  }
  return { addresses, assets: [style, script, icon, upload] }
}

function asset(name: string, ending: string, type: string, text: string): Asset {
  const bytes = Buffer.from(text)
  const digest = createHash('sha256').update(bytes).digest('hex').slice(0, 16)
  return {
    ...{ address: `/assets/${name}.${digest}.${ending}`, type: `${type}; charset=utf-8`, bytes },
    gzip: gzipSync(bytes, { level: 9 }),
    // The highest quality, 11, makes it 5 % smaller, and each start half a second longer.
    brotli: brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }),
  }
}
