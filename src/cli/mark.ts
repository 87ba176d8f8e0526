/** What people say of a build in every environment at once: it was bad, or it is to be kept; and taking that back. */
import type { Command } from 'commander'
import type { HoldAnswer, PinAnswer, PublishedTogetherAnswer } from './answers.ts'
import { changeLines } from './answers.ts'
import { apiPath } from './api-path.ts'
import { parseNumber } from './lists.ts'
import { DRY_RUN, remote } from './session.ts'

type Answer = (Omit<HoldAnswer, 'id'> | PinAnswer) & { readonly published: PublishedTogetherAnswer }

interface Mark {
  readonly verb: 'yank' | 'unyank' | 'pin' | 'unpin'
  readonly what: string
  readonly reason: string
  readonly isReasonNeeded: boolean
  /** An example's words after the build. */
  readonly example: string
  /** What the build is afterwards, and would be. */
  readonly told: readonly [is: string, wouldBe: string]
}

export function addYank(program: Command): void {
  addMark(program, {
    verb: 'yank',
    what: 'mask a bad build in every environment at once, and hold it: nothing promotes it again',
    ...{ reason: 'why; every node that meets the mask shows it', isReasonNeeded: true },
    example: "--reason 'loses orders, see #812'",
    told: ['is yanked', 'would be yanked'],
  })
}

export function addUnyank(program: Command): void {
  addMark(program, {
    verb: 'unyank',
    what: 'take a yank back: the build is to be had where it was, and may be promoted',
    ...{ reason: 'why it is good after all', isReasonNeeded: true },
    example: "--reason 'it was the database'",
    told: ['is yanked no more', 'would be yanked no more'],
  })
}

export function addPin(program: Command): void {
  addMark(program, {
    verb: 'pin',
    what: 'keep a build: no retention takes it away, and overlays go on listing it',
    ...{ reason: 'why it is kept', isReasonNeeded: true },
    example: "--reason 'what the auditors saw'",
    told: ['is pinned', 'would be pinned'],
  })
}

export function addUnpin(program: Command): void {
  addMark(program, {
    verb: 'unpin',
    what: 'let retention have a build again',
    ...{ reason: 'why it is kept no more', isReasonNeeded: false },
    example: '',
    told: ['is pinned no more', 'would be pinned no more'],
  })
}

function addMark(program: Command, { verb, what, reason: why, isReasonNeeded, example, told }: Mark): void {
  const command = program
    .command(verb)
    .description(what)
    .argument('<app>')
    .argument('<build>', 'its number', parseNumber)
  if (isReasonNeeded) command.requiredOption('-r, --reason <text>', why)
  else command.option('-r, --reason <text>', why)
  command.option(...DRY_RUN)
  remote<{ readonly reason?: string; readonly dryRun?: boolean }>(
    command,
    `portage-hub ${verb} shop 45 ${example}`.trimEnd(),
    async ({ client, show }, { reason, dryRun }, app = '', build = '') => {
      const path = apiPath('apps', app, 'builds', build, verb)
      const { body } = await client.change<Answer>(
        'POST',
        path,
        { dryRun },
        reason === undefined ? {} : { reason },
      )
      const head = `${app} build ${build} ${told[dryRun === true ? 1 : 0]}`
      show(
        body,
        [`${head}${body.published.length === 0 ? '; no overlay changes.' : ':'}`, ...linesOf(body)].join(
          '\n',
        ),
      )
    },
  )
}

/** Each overlay that changed, with what changed in it where that is not done yet. */
function linesOf({ published }: Answer): readonly string[] {
  return published.flatMap((change) => {
    const head = `  ${change.environment}: revision ${String(change.revision)} of its overlay`
    return change.commit === null ? [head, ...changeLines(change).map((line) => `  ${line}`)] : [head]
  })
}
