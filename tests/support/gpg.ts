/** GnuPG as a node asks it: one key, trusted, in a home of its own. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Gpg {
  /** Whether a signature holds: of the text that it is in, or of `bytes`. */
  verify(signature: string, bytes?: Buffer): boolean
}

/** A GnuPG that trusts nobody. @param folder as `gpgWith`. */
export function gpgHome(folder: string) {
  const home = join(folder, 'gnupg')
  mkdirSync(home, { mode: 0o700 })
  const run = (args: readonly string[], input?: string) => {
    const options = ['--homedir', home, '--batch', '--no-tty', '--no-autostart']
    const { status, stdout, stderr } = spawnSync('gpg', [...options, ...args], { input, encoding: 'utf8' })
    if (status !== 0) throw new Error(`gpg ${args.join(' ')}: ${stderr}`)
    return stdout
  }
  return {
    import: (armored: string) => run(['--import'], armored),
    /** The validity of each key, by its fingerprint: `r` for a revoked one. */
    keys(): ReadonlyMap<string, string> {
      const listed = run(['--list-keys', '--with-colons'])
      const found = listed.matchAll(/^pub:(.):.*\nfpr:+([0-9A-F]{40}):/gm)
      return new Map(Array.from(found, ([, validity = '', name = '']) => [name, validity]))
    },
  }
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
