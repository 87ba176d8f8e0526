/** A client that a generator makes of the document: it is type-checked, and works with a hub. */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createClient } from '@hey-api/openapi-ts'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { describeApi } from '../../src/http/openapi/document.ts'
import { tarball } from '../support/tarballs.ts'
import { ADMIN_TOKEN, createTestHub } from '../support/test-hub.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

let folder: string

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'portage-hub-client-'))
  await createClient({
    input: describeApi() as unknown as Record<string, unknown>,
    output: join(folder, 'client'),
    logs: { level: 'silent' },
    plugins: ['@hey-api/client-fetch', '@hey-api/typescript', '@hey-api/sdk'],
  })
  cpSync(new URL('client-program.ts.txt', import.meta.url), join(folder, 'program.ts'))
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(TSCONFIG))
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** As strict as a user's own may be. */
const TSCONFIG = {
  compilerOptions: {
    ...{
      strict: true,
      noUncheckedIndexedAccess: true,
      target: 'es2024',
      module: 'esnext',
      skipLibCheck: true,
    },
    ...{ moduleResolution: 'bundler', lib: ['es2024', 'dom', 'dom.iterable'], types: ['node'] },
    ...{ outDir: 'built', rootDir: '.' },
  },
  include: ['program.ts', 'client'],
}

test('the client is well-typed, and uploads, pages, promotes and tells a refusal from an answer', async () => {
  await using hub = await createTestHub()
  writeFileSync(join(folder, 'shop.tar'), tarball({ 'shop/run': 'hi' }))
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
  expect(spawnSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8' }).stdout).toBe('')
  const program = (await import(join(folder, 'built/program.js'))) as {
    run(url: string, token: string, tarball: Buffer): Promise<unknown>
  }
  const told = await program.run(hub.url, ADMIN_TOKEN, readFileSync(join(folder, 'shop.tar')))
  expect(told).toEqual({
    uploaded: ['shop/1', 'shop/2', 'shop/3'],
    paged: [3, 2, 1],
    promoted: 'released',
    refusal: { status: 409, code: 'promotion.not_eligible', unmet: ['environment.previous'] },
    stranger: { status: 401, code: 'auth.invalid' },
  })
})
