/**
 * The three weeks before a demo begins: what its hub went through, in order. The clock stands where each chapter is, so that
 * histories, charts and audit have days in them; all else is as it would be.
 */
import { systemClock } from '../clock.ts'
import type { DemoClock } from './demo-clock.ts'
import type { AppName, Stage } from './stage.ts'

/** How far back the story goes. */
export const STORY_DAYS = 21

interface Chapter {
  readonly daysAgo: number
  readonly tell: (stage: Stage) => Promise<void>
}

const at = (daysAgo: number, tell: Chapter['tell']): Chapter => ({ daysAgo, tell })

/** A build whose checks all passed. */
function built(daysAgo: number, app: AppName, build: number, version: string, ...news: string[]): Chapter {
  return at(daysAgo, async (stage) => {
    await stage.push(app, build, version, news)
    const checks = app === 'handbook' ? (['unit', 'smoke'] as const) : (['unit', 'lint', 'smoke'] as const)
    await Promise.all(checks.map(async (check) => await stage.check(app, build, check)))
  })
}

/** A build with tests that fail. */
function broken(daysAgo: number, app: AppName, build: number, version: string, ...news: string[]): Chapter {
  return at(daysAgo, async (stage) => {
    await stage.push(app, build, version, news)
    await stage.check(app, build, 'unit', 1)
  })
}

const released = (daysAgo: number, app: AppName, build: number): Chapter =>
  at(daysAgo, async (stage) => {
    await stage.release(app, build)
  })

const upgraded = (daysAgo: number, environment: string, ...except: string[]): Chapter =>
  at(daysAgo, async (stage) => {
    await stage.upgrade(environment, except)
  })

/** It stays behind from the middle of the story on. */
export const DRIFTED_NODE = 'sim-web-3'
/** Nothing is heard of it any more for the last days. */
export const SILENT_NODE = 'sim-batch-2'

/** The newest builds when the story ends. */
export const STORY_END = { shop: 54, billing: 16, handbook: 106 } as const

const CHAPTERS: readonly Chapter[] = [
  built(20.9, 'shop', 41, '6.0.0', 'The new checkout.'),
  built(20.8, 'billing', 7, '2.3.0', 'Bills have a number without gaps.'),
  built(20.7, 'handbook', 101, '1.0.0', 'How to take a return.'),
  at(20.65, async (stage) => {
    await stage.describeApps()
    await stage.setPolicy('production', policy([]))
    await stage.enrol('staging')
    await stage.enrol('production')
    await stage.mark('shop', 41, 'pin', 'The first release of the new checkout.')
  }),
  released(20.4, 'shop', 41),
  released(20.38, 'billing', 7),
  released(20.37, 'handbook', 101),
  upgraded(20.3, 'staging'),
  upgraded(20.2, 'production'),
  built(19.4, 'shop', 42, '6.0.1', 'The cart keeps the price of the day.'),
  built(18.9, 'billing', 8, '2.3.1', 'The tax is rounded once.'),
  broken(18.2, 'shop', 43, '6.1.0-rc.1', 'Offers, a first try.'),
  built(17.8, 'shop', 44, '6.1.0-rc.2', 'Offers.', 'Fixed: offers were counted twice.'),
  released(17.5, 'shop', 42),
  released(17.4, 'billing', 8),
  upgraded(17.3, 'production'),
  built(16.6, 'handbook', 102, '1.1.0', 'Returns without a receipt.'),
  built(15.8, 'shop', 45, '6.1.0', 'Offers.', 'The log has a folder of its own.'),
  built(15.1, 'billing', 9, '2.4.0-rc.1', 'Bills can be sent again.'),
  upgraded(15, 'staging'),
  released(14.7, 'shop', 45),
  released(14.6, 'handbook', 102),
  upgraded(14.5, 'production'),
  built(13.6, 'billing', 10, '2.4.0', 'Bills can be sent again.'),
  built(13.1, 'shop', 46, '6.1.1', 'Looks right on a phone.'),
  built(12.4, 'handbook', 103, '1.1.1', 'A word on vouchers.'),
  released(12.1, 'billing', 10),
  released(11.9, 'shop', 46),
  upgraded(11.8, 'production'),
  broken(11.2, 'billing', 11, '2.5.0-rc.1', 'Reminders.'),
  built(10.6, 'shop', 47, '6.2.0-rc.1', 'Wish lists.'),
  built(10.1, 'billing', 12, '2.5.0-rc.2', 'Reminders.', 'A unit for systemd.'),
  at(9.8, async (stage) => {
    await stage.reject(await stage.promote('shop', 47), 'Wish lists lose entries when somebody signs out.')
  }),
  built(9.2, 'shop', 48, '6.2.0', 'Wish lists.', 'Fixed: they survive signing out.'),
  upgraded(9.1, 'staging'),
  released(8.8, 'shop', 48),
  upgraded(8.7, 'production', DRIFTED_NODE),
  at(8.6, async (stage) => {
    await stage.rollBackProduction('shop', 46, 'Orders with two addresses are charged twice.')
  }),
  built(8.1, 'shop', 49, '6.2.1', 'Fixed: two addresses, one charge.', 'New tables for addresses.'),
  built(7.6, 'handbook', 104, '1.2.0', 'What to say about double charges.'),
  built(7.2, 'billing', 13, '2.5.0', 'Reminders.'),
  released(6.9, 'shop', 49),
  released(6.8, 'billing', 13),
  released(6.7, 'handbook', 104),
  upgraded(6.6, 'production', DRIFTED_NODE),
  at(6.5, async (stage) => {
    await stage.rehearse('sim-web-1', 'shop')
  }),
  built(5.8, 'shop', 50, '6.3.0-rc.1', 'Gift cards.'),
  at(5.4, async (stage) => {
    await stage.mark('shop', 50, 'yank', 'Gift cards show the number of the card before.')
  }),
  built(4.9, 'shop', 51, '6.3.0-rc.2', 'Gift cards.', 'Fixed: each shows its own number.'),
  built(4.3, 'billing', 14, '2.5.1', 'Reminders are sent at nine, not at night.'),
  upgraded(4.2, 'staging'),
  released(4, 'billing', 14),
  upgraded(3.9, 'production', DRIFTED_NODE),
  built(3.2, 'handbook', 105, '1.3.0', 'Gift cards.'),
  built(2.8, 'shop', 52, '6.3.0', 'Gift cards.'),
  at(2.5, async (stage) => {
    await stage.setPolicy('production', policy([nextFreeze()]))
    await stage.putFile('staging', 'profiles/demo/README', 'Kept by hand: this overlay is of a demo.\n')
  }),
  released(2.1, 'shop', 52),
  released(2, 'handbook', 105),
  upgraded(1.9, 'production', DRIFTED_NODE, SILENT_NODE),
  at(1.7, async (stage) => {
    await stage.withdraw('handbook', 104, 'It names a telephone number that is another by now.')
  }),
  built(1.2, 'billing', 15, '2.6.0-rc.1', 'Bills as a table.'),
  broken(0.9, 'shop', 53, '6.4.0-rc.1', 'Search as one types.'),
  built(0.4, 'shop', 54, '6.4.0-rc.2', 'Search as one types.', 'Fixed: it waits for the third letter.'),
  built(0.2, 'billing', 16, '2.6.0', 'Bills as a table.'),
  built(0.1, 'handbook', 106, '1.4.0', 'How to search.'),
  upgraded(0.08, 'staging'),
  at(0.06, async (stage) => {
    await stage.promote('billing', 16)
    await stage.hold('handbook', 'The lawyers read the chapter on search first.')
  }),
  at(0.02, async (stage) => {
    for (const node of ['sim-web-1', 'sim-web-2', DRIFTED_NODE, 'sim-batch-1', 'sim-docs-1'])
      await stage.report(node)
  }),
]

/** Tells the whole story to a hub that has its people and no build yet. @throws the signal's reason, when it ends that. */
export async function tellStory(stage: Stage, clock: DemoClock, signal: AbortSignal): Promise<void> {
  for (const { daysAgo, tell } of CHAPTERS) {
    signal.throwIfAborted()
    clock.standAt(daysAgo)
    await tell(stage)
  }
}

/** What production asks for. The soak is short for a demo's sake: one would not wait for a day to see it end. */
function policy(freezes: readonly object[]): object {
  return {
    promote: 'request',
    checks: { commit: ['unit'], acceptance: ['smoke'], manual: [] },
    approvals: { count: 1, roles: ['approver', 'release-manager'] },
    soak: '1m',
    freezes,
    schema: 'reversible',
  }
}

/** A weekly one that is neither now nor soon, whatever day it is: a demo should not stand still. */
function nextFreeze(): object {
  const day = (after: number): string =>
    new Date(systemClock.now().getTime() + after * 86_400_000).toUTCString().slice(0, 3)
  return {
    from: `${day(3)} 16:00`,
    to: `${day(4)} 06:00`,
    timeZone: 'UTC',
    reason: 'Nobody is here to help.',
  }
}
