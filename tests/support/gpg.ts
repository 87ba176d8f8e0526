/** GnuPG as a node asks it: one key, trusted, in a home of its own. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Gpg {
  /** Whether a signature holds: of the text that it is in, or of `bytes`. */
  verify(signature: string, bytes?: Buffer): boolean
}

/** @param folder where its home may be made; GnuPG's sockets need a short path. */
export function gpgWith(folder: string, publicKey: string): Gpg {
  const home = join(folder, 'gnupg')
  mkdirSync(home, { mode: 0o700 })
  const run = (args: readonly string[], input?: string | Buffer) =>
    spawnSync('gpg', ['--homedir', home, '--batch', '--no-tty', '--trust-model', 'always', ...args], {
      input,
    })
  const imported = run(['--import'], publicKey)
  if (imported.status !== 0) throw new Error(`gpg --import: ${String(imported.stderr)}`)
  return {
    verify(signature, bytes) {
      const file = join(home, 'signature.asc')
      writeFileSync(file, signature)
      const { stderr, status } = run(['--status-fd', '2', '--verify', file, ...(bytes ? ['-'] : [])], bytes)
      return status === 0 && /^\[GNUPG:\] GOODSIG /m.test(String(stderr))
    },
  }
}
