/** `readBinpkg` and `judgeImage` on a thread of their own; at most two at a time, as with archives. */
import { JudgeThreads } from '../builds/judge-threads.ts'
import type { BinpkgFacts, ImageClaim, ImageFacts } from './read-binpkg.ts'

export type BinpkgQuestion =
  { readonly kind: 'package'; readonly path: string } | { readonly kind: 'image'; readonly claim: ImageClaim }

const threads = new JudgeThreads<BinpkgQuestion, BinpkgFacts | ImageFacts>(
  new URL('./binpkg-worker.ts', import.meta.url),
  { atATime: 2, fault: 'The binary package could not be read.' },
)

/** @throws as `readBinpkg`, with code, detail and extra intact; `Error` if the thread died. */
export async function readBinpkgInWorker(path: string): Promise<BinpkgFacts> {
  return (await threads.ask({ kind: 'package', path })) as BinpkgFacts
}

/** @throws as `judgeImage`, with code, detail and extra intact; `Error` if the thread died. */
export async function judgeImageInWorker(claim: ImageClaim): Promise<ImageFacts> {
  return (await threads.ask({ kind: 'image', claim })) as ImageFacts
}

/** Ends the threads; whoever waits for an answer gets an error. A later call starts new ones. */
export async function closeBinpkgWorkers(): Promise<void> {
  await threads.close()
}
