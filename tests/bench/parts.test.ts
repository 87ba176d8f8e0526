/** Every part of the bench still runs: once, small, with its real peers. What such a run measures says nothing. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'

const ROOT = path.resolve(import.meta.dirname, '../..')
const PARTS = readdirSync(path.join(ROOT, 'bench')).filter((name) => name.endsWith('.ts'))
const out = mkdtempSync(path.join(tmpdir(), 'portage-hub-test-bench-'))

interface Found {
  readonly skipped: string | null
  readonly rows: readonly { readonly measured: string; readonly hub: { readonly median: number } | number }[]
}

afterAll(() => rmSync(out, { recursive: true, force: true }))

test.each(PARTS.map((file) => path.basename(file, '.ts')))(
  'the part %s finds figures for all that it measures',
  { timeout: 180_000 },
  async (part) => {
    const args = [path.join(ROOT, 'bench', `${part}.ts`), '--quick', '--out', out, '--folder', out]
    const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 16 * 2 ** 20 })
    const found = JSON.parse(readFileSync(path.join(out, `${part}.json`), 'utf8')) as Found
    if (found.skipped !== null) {
      expect(process.env['CI'] === undefined || !found.skipped.includes('apt-get'), found.skipped).toBe(true)
      return
    }
    expect(found.rows.length).toBeGreaterThan(0)
    const empty = found.rows.filter(({ hub }) => !Number.isFinite(typeof hub === 'number' ? hub : hub.median))
    expect(empty).toEqual([])
    for (const { measured } of found.rows) expect(stdout).toContain(measured)
    // Whatever a part starts and writes is gone when it ends.
    expect(readdirSync(out).filter((name) => name.startsWith('portage-hub-bench-'))).toEqual([])
  },
)
