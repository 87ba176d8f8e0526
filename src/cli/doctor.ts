import type { Command } from 'commander'
import { systemClock } from '../clock.ts'
import type { Diagnosis } from '../jobs/diagnosis.ts'
import { EXIT } from './exit-status.ts'
import { onOneLine } from './format.ts'
import { local } from './session.ts'

const STATE_CHARS = 4
const CHECK_CHARS = 11

export function addDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .description('check whether this host can run the hub: programs, folder, records, key, clock, addresses')
  local(command, 'portage-hub doctor', async ({ terminal, json, show }) => {
    const checks: Diagnosis[] = []
    for await (const check of everyCheck()) {
      checks.push(check)
      if (!json) terminal.out(checkText(check))
    }
    const isWell = checks.every(({ state }) => state !== 'fail')
    if (json) show({ ok: isWell, checks }, '')
    return isWell ? EXIT.done : EXIT.fault
  })
}

async function* everyCheck(): AsyncGenerator<Diagnosis> {
  const { diagnoseHub, diagnosePrograms } = await import('../jobs/diagnose.ts')
  yield* diagnosePrograms(process.versions.node)
  try {
    const { loadConfig } = await import('../config.ts')
    const { config } = loadConfig()
    yield {
      check: 'settings',
      state: 'ok',
      detail: 'they hold; "portage-hub config show" lists them',
      toDo: null,
    }
    yield* diagnoseHub(config, systemClock.now())
  } catch (error) {
    const detail = (error as Error).message.replaceAll('\n', '; ')
    yield { check: 'settings', state: 'fail', detail, toDo: 'put these settings right' }
  }
}

function checkText({ check, state, detail, toDo }: Diagnosis): string {
  const start = `${state.padEnd(STATE_CHARS)}  ${check.padEnd(CHECK_CHARS)}  `
  const lines = [`${start}${onOneLine(detail)}`]
  if (toDo !== null) lines.push(`${' '.repeat(start.length)}${onOneLine(toDo)}`)
  return lines.join('\n')
}
