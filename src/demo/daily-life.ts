/** What goes on in a demo while somebody looks: builds arrive, checks come in, people decide, nodes follow. */
import { setTimeout as pause } from 'node:timers/promises'
import { DRIFTED_NODE, SILENT_NODE, STORY_END } from './story.ts'
import { DEMO_NODES } from './stage.ts'
import type { Stage } from './stage.ts'

const NEWS = [
  'Fewer queries on the front page.',
  'Fixed: a total that was off by a cent.',
  'Words that somebody complained about.',
  'Pictures load later.',
  'Fixed: the back button.',
] as const
const REJECTIONS = ['Not before the weekend.', 'The text of the mail is wrong.'] as const

/** Ends when the signal says so; what was under way then may stay half-done, as with everybody else. */
export async function liveOn(stage: Stage, { signal, stepMs }: { signal: AbortSignal; stepMs: number }) {
  const step = async (): Promise<void> => {
    await pause(stepMs, undefined, { signal })
  }
  try {
    for (let round = 1; ; round++) await liveRound(stage, round, step)
  } catch (error) {
    if (!signal.aborted) throw error
  }
}

/** One build of the shop on its way, and one of billing that stays on staging. */
async function liveRound(stage: Stage, round: number, step: () => Promise<void>): Promise<void> {
  const [shop, billing] = [STORY_END.shop + round, STORY_END.billing + round]
  const isBroken = round % 4 === 3
  await step()
  await stage.push('shop', shop, `6.5.${String(round - 1)}`, [stage.random.of(NEWS)])
  await step()
  await stage.check('shop', shop, 'unit', isBroken ? 1 : 0)
  await step()
  await stage.check('shop', shop, 'lint')
  await stage.check('shop', shop, 'smoke')
  await step()
  await stage.upgrade('staging')
  await step()
  const promotion = isBroken ? null : await stage.promote('shop', shop)
  await step()
  await stage.push('billing', billing, `2.6.${String(round)}`, [stage.random.of(NEWS)])
  await step()
  await stage.check('billing', billing, 'unit')
  await stage.check('billing', billing, 'smoke')
  await reports(stage, step)
  await step()
  if (promotion === null) await stage.mark('shop', shop, 'yank', 'Its tests fail.')
  else if (round % 4 === 2) await stage.reject(promotion, stage.random.of(REJECTIONS))
  else await stage.approve(promotion, 'Tried it on staging.')
  await reports(stage, step)
  await step()
  await stage.upgrade('production', [DRIFTED_NODE, SILENT_NODE])
}

async function reports(stage: Stage, step: () => Promise<void>): Promise<void> {
  for (const { name } of DEMO_NODES) {
    if (name === SILENT_NODE) continue
    await step()
    await stage.report(name)
  }
}
