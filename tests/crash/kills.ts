/** When to kill: every named step in turn, and moments in between that chance chooses. */
import { STEPS } from '../../src/steps.ts'
import type { Step } from '../../src/steps.ts'
import type { Random } from '../support/random.ts'

export interface Kill {
  /** At the start of a hub that comes back, or while clients are at work. */
  readonly phase: 'start' | 'work'
  /** A step; a change of the disk by the cellar; or, told from outside, an answer that a client has heard. */
  readonly at: Step | 'disk' | 'answer'
  /** The n-th of them. */
  readonly count: number
}

/** Steps that only a start passes. */
const OF_START: ReadonlySet<Step> = new Set(STEPS.filter((step) => /^(?:start|sweep)\./.test(step)))
/** Steps that few clients lead to, and those that one comes by now and then. */
const RARE: ReadonlySet<Step> = new Set([
  ...(['promotion.waiting', 'withdrawal.done', 'file.put', 'zip.made'] as const),
  ...STEPS.filter((step) => step.startsWith('point.')),
])
const SELDOM: ReadonlySet<Step> = new Set(['enrol.recorded', 'promotion.approved'])
/** Crashes that leave much to do for the start after them. */
const BEFORE_START: readonly Step[] = ['blob.linked', 'upload.recording', 'blob.adopted', 'point.recording']
const UNFINISHED: readonly Step[] = ['upload.recorded', 'revision.recorded', 'pack.placed', 'ref.locked']

/** Kills at named steps, which go on with the seed about where the seed before ended, and others in between. */
export function planKills(count: number, seed: number, random: Random): readonly Kill[] {
  const kills: Kill[] = []
  let next = (seed * Math.ceil(count * 0.4)) % STEPS.length
  while (kills.length < count) {
    for (let named = 0; named < 2; named++)
      kills.push(...killsAt(STEPS[next++ % STEPS.length] as Step, random))
    kills.push(...killsByChance(random))
  }
  return kills.slice(0, count)
}

function killsAt(step: Step, random: Random): readonly Kill[] {
  if (!OF_START.has(step)) return [{ phase: 'work', at: step, count: 1 + random.int(mostOf(step)) }]
  const before = random.pick(step.startsWith('sweep') ? BEFORE_START : UNFINISHED) as Step
  return [
    { phase: 'work', at: before, count: 1 + random.int(3) },
    { phase: 'start', at: step, count: 1 },
  ]
}

/** At the latest of which the kill comes, in one life of a hub. */
function mostOf(step: Step): number {
  if (SELDOM.has(step)) return 1
  return RARE.has(step) ? 3 : 8
}

function killsByChance(random: Random): readonly Kill[] {
  if (random.chance(0.4)) return [{ phase: 'work', at: 'disk', count: 1 + random.int(150) }]
  if (random.chance(0.4)) return [{ phase: 'work', at: 'answer', count: 1 + random.int(40) }]
  return [
    { phase: 'work', at: random.pick([...UNFINISHED, ...BEFORE_START]) as Step, count: 1 },
    { phase: 'start', at: 'disk', count: 1 + random.int(12) },
  ]
}
