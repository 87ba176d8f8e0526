/** Programs that the launcher runs: passed-on signals, exit statuses, and lines for the person who waits. */
import { spawn } from 'node:child_process'
import os from 'node:os'
import tty from 'node:tty'

/** A failure told in one sentence, without a stack; `status` is the exit status to end with. */
export class LaunchError extends Error {
  constructor(message, status = 1) {
    super(message)
    this.status = status
  }
}

/** Writes one line, always to stderr: stdout belongs to the program that is run. */
export function say(line) {
  process.stderr.write(`${line}\n`)
}

/**
 * Runs a program on our own stdin, stdout and stderr and returns its exit status (128 and the signal's number if a
 * signal ended it). Signals sent to us are passed on, and the program is stopped if we end before it.
 * @param {import('node:child_process').SpawnOptions} [options]
 * @param {(child: import('node:child_process').ChildProcess) => void} [started]
 * @throws {LaunchError} if the program cannot be started
 */
export function runProgram(file, args, options = {}, started = () => {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: 'inherit', ...options })
    const stopForwarding = forwardSignals(child)
    child.once('error', (cause) => {
      stopForwarding()
      reject(new LaunchError(`Cannot run ${file}: ${cause.message}`, 127))
    })
    child.once('close', (code, signal) => {
      stopForwarding()
      resolve(code ?? 128 + os.constants.signals[signal])
    })
    started(child)
  })
}

/** Like `runProgram`, without stdin, and with what the program printed (stdout and stderr mixed) in the result. */
export async function captureProgram(file, args, options = {}) {
  const chunks = []
  const status = await runProgram(file, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] }, (child) => {
    child.stdout.on('data', (chunk) => chunks.push(chunk))
    child.stderr.on('data', (chunk) => chunks.push(chunk))
  })
  return { status, output: Buffer.concat(chunks).toString() }
}

function forwardSignals(child) {
  // A terminal sends Ctrl-C to the program as well as to us: passing it on would count as pressing it twice.
  const signals = tty.isatty(0) ? ['SIGTERM', 'SIGHUP'] : ['SIGTERM', 'SIGHUP', 'SIGINT']
  const ignore = () => {}
  const pass = (signal) => child.kill(signal)
  const kill = () => child.kill('SIGTERM')
  process.on('SIGINT', ignore)
  for (const signal of signals) process.on(signal, pass)
  process.on('exit', kill)
  return () => {
    process.off('SIGINT', ignore)
    for (const signal of signals) process.off(signal, pass)
    process.off('exit', kill)
  }
}
