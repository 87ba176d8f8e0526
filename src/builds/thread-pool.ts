/**
 * A small pool of worker threads that several jobs share: threads start at first need, keep no process alive while
 * idle, and are replaced when they die. A message to a thread and each of its replies carry the number of their job.
 */
import { Worker } from 'node:worker_threads'

/** What a job hears of its thread: replies in the order sent, or once that the thread is gone. */
export interface Listener {
  readonly reply: (message: unknown) => void
  readonly died: (error: Error) => void
}

/** One job's use of one thread. Disposing it (once or twice) makes later replies unheard; it stops no work. */
export interface Lease extends Disposable {
  /** Sends a message, a plain object to which the job's number is added. */
  readonly post: (message: object) => void
}

let lastJob = 0

class Thread {
  readonly #worker: Worker
  readonly #listeners = new Map<number, Listener>()

  constructor(script: URL, onDeath: (thread: Thread) => void) {
    this.#worker = new Worker(script)
    this.#worker.unref()
    this.#worker.on('message', (message: { job: number }) => this.#listeners.get(message.job)?.reply(message))
    const die = (cause: unknown): void => {
      onDeath(this)
      this.#fail(new Error('A worker thread ended before its work was done.', { cause }))
    }
    this.#worker.on('error', die)
    this.#worker.on('exit', die)
  }

  get load(): number {
    return this.#listeners.size
  }

  lease(listener: Listener): Lease {
    const job = ++lastJob
    this.#listeners.set(job, listener)
    this.#worker.ref()
    const release = (): void => {
      if (this.#listeners.delete(job) && this.#listeners.size === 0) this.#worker.unref()
    }
    return { post: (message) => this.#worker.postMessage({ ...message, job }), [Symbol.dispose]: release }
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }

  #fail(error: Error): void {
    const waiting = [...this.#listeners.values()]
    this.#listeners.clear()
    for (const listener of waiting) listener.died(error)
  }
}

/** Threads that run one script; at most `size` of them, started one by one as jobs come. */
export class ThreadPool {
  readonly #script: URL
  readonly #size: number
  #threads: readonly Thread[] = []

  constructor(script: URL, size: number) {
    this.#script = script
    this.#size = size
  }

  /** Gives the job the thread with the fewest jobs, after starting one if all are busy and there is room. */
  lease(listener: Listener): Lease {
    const [idlest] = [...this.#threads].sort((a, b) => a.load - b.load)
    if (idlest !== undefined && (idlest.load === 0 || this.#threads.length >= this.#size)) {
      return idlest.lease(listener)
    }
    const thread = new Thread(this.#script, (dead) => {
      this.#threads = this.#threads.filter((one) => one !== dead)
    })
    this.#threads = [...this.#threads, thread]
    return thread.lease(listener)
  }

  /** Ends all threads; jobs that still use one hear that it died. The pool starts anew at the next lease. */
  async close(): Promise<void> {
    const ending = this.#threads
    this.#threads = []
    await Promise.all(ending.map((thread) => thread.close()))
  }
}
