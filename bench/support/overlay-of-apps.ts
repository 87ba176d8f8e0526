/** Many small apps in a hub's staging overlay: one build each, of random bytes, sent as CI sends them. */
import { randomBytes } from 'node:crypto'
import { tarball, tarOf } from '../../tests/support/tarballs.ts'
import type { BenchBuild, BenchHub } from './hub.ts'

const AT_ONCE = 4

/** `app-a0001` and so on; each build's tarball is a plain tar of exactly `sizeBytes` (a multiple of 512, 3,072 or more). */
export async function uploadApps(
  hub: BenchHub,
  { apps, sizeBytes = 4096 }: { readonly apps: number; readonly sizeBytes?: number },
): Promise<readonly BenchBuild[]> {
  const builds: BenchBuild[] = []
  let next = 0
  const work = async (): Promise<void> => {
    for (let at = next++; at < apps; at = next++) {
      const app = appName(at)
      builds[at] = await hub.upload({ app, build: 1, version: '1.0.0', tarball: tarOfSize(app, sizeBytes) })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return builds
}

export function appName(index: number): string {
  return `app-a${String(index + 1).padStart(4, '0')}`
}

/** A plain tar of exactly so many bytes with one file of random bytes: a header, the content and two blocks of zeros. */
export function tarOfSize(app: string, sizeBytes: number): Buffer {
  return tarOf({ name: `${app}-1.0.0/data`, content: randomBytes(sizeBytes - 3 * 512) })
}

/** A small tar.gz, different every time. */
export function smallTarball(app: string): Buffer {
  return tarball({ [`${app}/bin/${app}`]: `#!/bin/sh\necho ${randomBytes(32).toString('hex')}\n` })
}
