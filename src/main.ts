/** The server's door: settings from the environment, one hub, and what a person needs to see on the terminal. */
import { loadConfig } from './config.ts'
import { ERRORS, HubError } from './errors.ts'
import { startHub } from './serve.ts'
import type { RunningHub } from './serve.ts'
import { HUB_VERSION } from './version.ts'

/** Starts the hub and serves until SIGTERM or SIGINT; gives the exit status. */
export async function serve(): Promise<number> {
  let running: RunningHub
  try {
    running = await startHub(loadConfig().config)
  } catch (error) {
    process.stderr.write(`${startFault(error)}\n`)
    return 1
  }
  process.stdout.write(welcome(running))
  await untilStopped()
  await running[Symbol.asyncDispose]()
  return 0
}

function welcome({ hub, newAdminToken, signInLink }: RunningHub): string {
  const { publicUrl, host, port, environments } = hub.config
  const lines = [`Portage Hub ${HUB_VERSION} listens on ${host}:${String(port)}; its address is ${publicUrl}`]
  for (const { name, promote } of environments) {
    const takes = promote === 'automatic' ? 'takes every upload' : 'takes what is promoted'
    lines.push(`  ${name.padEnd(12)} ${publicUrl}/git/${name}.git  (${takes})`)
  }
  lines.push(`  signed by    ${hub.overlayKeys.current.fingerprint}  (${publicUrl}/keys/hub.asc)`)
  if (newAdminToken !== null) {
    lines.push(
      '',
      "The first administrator's token, shown this once:",
      '',
      `  export HUB_URL=${publicUrl}`,
      `  export HUB_TOKEN=${newAdminToken}`,
      '',
      'Sign in as "admin" with a browser, once and within a day, and set a password there:',
      '',
      `  ${signInLink ?? ''}`,
      '',
      'Try it from another terminal:',
      '',
      '  echo hello > hello.txt && tar -czf hello.tar.gz hello.txt',
      '  curl -H "Authorization: Bearer $HUB_TOKEN" -F build=1 -F version=1.0.0 -F tarball=@hello.tar.gz \\',
      '    $HUB_URL/api/v1/apps/hello/builds',
    )
  }
  return `${lines.join('\n')}\n`
}

function startFault(error: unknown): string {
  if (error instanceof HubError) {
    const { title } = ERRORS[error.code]
    return `portage-hub: ${title}:\n  ${error.message.replaceAll('\n', '\n  ')}`
  }
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE') return `portage-hub: ${message}: another server has this port; set HUB_PORT`
  if (code === 'EACCES')
    return `portage-hub: ${message}: set HUB_PORT to a port above 1023, or HUB_DATA_DIR to a folder of your own`
  return `portage-hub: cannot start: ${(error as Error).stack ?? String(error)}`
}

async function untilStopped(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const)
      process.once(signal, () => {
        resolve()
      })
  })
}

if (import.meta.main) process.exitCode = await serve()
