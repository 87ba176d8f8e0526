/** What nodes and those who look after them sent and were told: restore points, rollbacks, holds, checks, policies. */
import type { PackedFile } from '../support/restore-points.ts'

/** Which of its states something is in; more than one is possible while an answer is missing. */
export class Uncertain<T> {
  possible: ReadonlySet<T>

  constructor(first: T) {
    this.possible = new Set([first])
  }

  is(state: T): boolean {
    return this.possible.size === 1 && this.possible.has(state)
  }

  /** It was asked for. */
  expectAlso(state: T): void {
    this.possible = new Set([...this.possible, state])
  }

  /** It was told, or seen. */
  settle(state: T): void {
    this.possible = new Set([state])
  }

  /** What is wrong with it, if it cannot be in this state; it is in this one from now on. */
  seen(what: string, state: T): readonly string[] {
    const told = [...this.possible]
    this.settle(state)
    if (told.includes(state)) return []
    return [`${what} is ${String(state)}, and was told to be ${told.map(String).join(' or ')}`]
  }
}

/** As the hub shows a package. */
export interface ShownBinpkg {
  readonly path: string
  readonly sizeBytes: number
  readonly sha512: string
}

export interface SentPoint {
  readonly id: string
  readonly app: string
  readonly announcement: object
  readonly files: readonly PackedFile[]
  /** The package's metadata alone; null: its image was not named. */
  metadata: Buffer | null
  readonly state: Uncertain<'absent' | 'announced' | 'complete'>
  /** Those whose bytes were acknowledged. */
  readonly received: Set<PackedFile>
  /** Once it was told. */
  binpkg: ShownBinpkg | null
  /** Somebody asked for its end: it does not come again. */
  isGoing: boolean
}

export interface SentNode {
  readonly name: string
  token: string | null
  readonly state: Uncertain<'absent' | 'enrolled' | 'left'>
  readonly points: SentPoint[]
  /** The number in its newest report; null: none since it was enrolled. */
  readonly report: Uncertain<number | null>
}

export interface SentHold {
  readonly reason: string
  /** Once it was told, or seen. */
  id: string | null
  readonly state: Uncertain<'absent' | 'held' | 'lifted'>
}

export interface SentCheck {
  readonly app: string
  readonly build: number
  readonly reports: number
  readonly state: Uncertain<'absent' | 'recorded'>
}

export class FleetLedger {
  readonly nodes = new Map<string, SentNode>()
  readonly rollbacks = new Map<string, Uncertain<string>>()
  /** By reason: each has its own. */
  readonly holds = new Map<string, SentHold>()
  /** By name: each has its own. */
  readonly checks = new Map<string, SentCheck>()
  /** Who approves in production, with blanks between. */
  readonly policy = new Uncertain<string>('')
  #made = 0

  node(name: string): SentNode {
    const known = this.nodes.get(name) ?? {
      ...{ name, token: null, points: [] },
      ...{ state: new Uncertain('absent' as const), report: new Uncertain<number | null>(null) },
    }
    this.nodes.set(name, known)
    return known
  }

  /** Another number each time, and a larger one. */
  next(): number {
    return ++this.#made
  }
}
