/** A PKGDIR whose index Portage itself keeps, on a throw-away host: what `emaint binhost --fix` takes after one more package. */
import { gzipSync } from 'node:zlib'
import { openNode } from '../../tests/portage/support/gentoo-node.ts'
import type { GentooNode } from '../../tests/portage/support/gentoo-node.ts'
import { gpkgOf, metadataTar, shopParts } from '../../tests/support/gpkgs.ts'

export interface EmaintPeer extends AsyncDisposable {
  readonly description: string
  /** Puts one more package there and says how many milliseconds `emaint binhost --fix` then takes. */
  addOne(): Promise<number>
}

const PKGDIR = 'var/cache/binpkgs'

/** Fills a PKGDIR with so many small packages of one name and has it indexed. */
export async function openEmaintPeer(packages: number): Promise<EmaintPeer> {
  const node = await openNode('bench-binhost')
  let count = 0
  try {
    while (count < packages) await addPackage(node, ++count)
    await fix(node)
    const version = (await node.must('emerge', '--version')).split('\n')[0] ?? ''
    return {
      description:
        `${version.trim()}: \`emaint binhost --fix\` in a PKGDIR of ${packages} packages of 4 KiB, all but one of them in its ` +
        'index already; the start of Python and of Portage is part of it, the files are in the page cache',
      async addOne() {
        await addPackage(node, ++count)
        const tookMs = await fix(node)
        const index = await node.read(`${PKGDIR}/Packages`)
        if (!index.includes(`CPV: app-acme/shop-1.0.0_p${count}\n`)) throw new Error('emaint did not add it')
        return tookMs
      },
      [Symbol.asyncDispose]: async () => await node[Symbol.asyncDispose](),
    }
  } catch (error) {
    await node[Symbol.asyncDispose]()
    throw error
  }
}

async function addPackage(node: GentooNode, number: number): Promise<void> {
  const pf = `shop-1.0.0_p${number}`
  const metadata = {
    ...{ CATEGORY: 'app-acme\n', PF: `${pf}\n`, SLOT: '0\n', EAPI: '8\n', KEYWORDS: 'amd64\n' },
    ...{ BUILD_TIME: `${1_790_000_000 + number}\n`, RDEPEND: 'dev-libs/openssl:= sys-libs/zlib\n' },
  }
  const parts = shopParts({ 'metadata.tar.gz': gzipSync(metadataTar(metadata)) })
  await node.write(`${PKGDIR}/app-acme/shop/${pf}-1.gpkg.tar`, gpkgOf(parts, pf))
}

/** Milliseconds, without making the host's namespaces. */
async function fix(node: GentooNode): Promise<number> {
  const output = await node.bash(
    `mkdir -p /etc/portage && echo app-acme > /etc/portage/categories
    last=$EPOCHREALTIME
    emaint binhost --fix > /tmp/log 2>&1 || { cat /tmp/log; exit 1; }
    now=$EPOCHREALTIME
    echo "took $(( \${now/./} - \${last/./} ))"`,
  )
  return Number(/^took (\d+)$/m.exec(output)?.[1]) / 1000
}
