/** A progress bar on standard error, for whoever watches; logs and pipes get none. */
import { durationText, sizeText } from './format.ts'
import type { Terminal } from './terminal.ts'

const BAR_CHARS = 20
const REDRAW_MS = 100

export class Progress implements Disposable {
  readonly #terminal: Pick<Terminal, 'isWatched' | 'draw'>
  readonly #now: () => number
  #label = ''
  #startedMs = 0
  /** What was done already when this work began: of an upload that goes on, its first part. */
  #before = 0
  #drawnMs = -Infinity

  /** `now` gives milliseconds of any clock that only goes forward. */
  constructor(terminal: Pick<Terminal, 'isWatched' | 'draw'>, now: () => number = () => performance.now()) {
    this.#terminal = terminal
    this.#now = now
  }

  /** Shows that `done` of `total` bytes of the work `label` are through; a new label starts a new bar. */
  bytes(label: string, done: number, total: number): void {
    const seconds = this.#draws(label, done, done >= total)
    if (seconds === null) return
    const rate = seconds > 0 ? Math.max(0, done - this.#before) / seconds : 0
    const left = rate > 0 ? `, ${durationText((total - done) / rate)} left` : ''
    const percent = String(Math.floor((total === 0 ? 1 : done / total) * 100)).padStart(3)
    const amounts = `${sizeText(done)} of ${sizeText(total)}, ${sizeText(Math.round(rate))}/s${left}`
    this.#terminal.draw(`${label.padEnd(8)} [${bar(done, total)}] ${percent} %  ${amounts}`)
  }

  /** The same for things that are counted. `total` null: nobody knows how many there will be. */
  count(label: string, done: number, total: number | null): void {
    if (this.#draws(label, done, done === total) === null) return
    const amounts = total === null ? String(done) : `${String(done)} of ${String(total)}`
    this.#terminal.draw(`${label} ${total === null ? '' : `[${bar(done, total)}] `}${amounts}`)
  }

  /** Takes the bar away. */
  [Symbol.dispose](): void {
    if (this.#drawnMs !== -Infinity) this.#terminal.draw('')
    this.#drawnMs = -Infinity
  }

  /** Seconds since the work began, if the bar is to be drawn now; else null. */
  #draws(label: string, done: number, atEnd: boolean): number | null {
    if (!this.#terminal.isWatched) return null
    const now = this.#now()
    const isNew = label !== this.#label
    if (isNew) {
      this.#label = label
      this.#startedMs = now
      this.#before = done
    }
    if (!isNew && !atEnd && now - this.#drawnMs < REDRAW_MS) return null
    this.#drawnMs = now
    return (now - this.#startedMs) / 1000
  }
}

function bar(done: number, total: number): string {
  const filled = total === 0 ? BAR_CHARS : Math.floor((Math.min(done, total) / total) * BAR_CHARS)
  return '='.repeat(filled).padEnd(BAR_CHARS, ' ')
}
