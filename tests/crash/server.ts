/**
 * The real hub in a process of its own, which kills itself when it is told to: at the n-th time that it reaches a step
 * (`src/steps.ts`), or before its n-th change of the disk. Started by `hub-process.ts`.
 */
import { writeSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { loadConfig } from '../../src/config.ts'
import { startHub } from '../../src/serve.ts'
import { watchedDisk } from '../support/watched-disk.ts'
import type { Kill } from './kills.ts'

let plan: Kill | null = JSON.parse(process.env['CRASH_TEST_KILL'] ?? 'null') as Kill | null
let passed = 0

/** Nothing of this process runs any more after it: no handler, no write that was not handed over yet. */
function countTowards(what: Kill['at'], detail: string): void {
  if (plan?.at !== what || ++passed < plan.count) return
  writeSync(1, `killed at ${detail}\n`)
  process.kill(process.pid, 'SIGKILL')
}

process.on('message', (message: { readonly kill: Kill | null }) => {
  plan = message.kill
  passed = 0
  process.send?.({ armed: true })
})

const running = await startHub(loadConfig().config, {
  steps: {
    reached(step) {
      countTowards(step, step)
    },
  },
  disk: watchedDisk((operation, path) => {
    countTowards('disk', `${operation} ${path}`)
  }),
})
await running.hub.settled()
flushCompileCache()
process.once('SIGTERM', () => {
  void running[Symbol.asyncDispose]().then(() => {
    process.disconnect()
  })
})
process.send?.({ url: `http://${running.hub.config.host}:${String(running.hub.config.port)}` })
