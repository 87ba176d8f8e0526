/** A policy as people read it: a sentence for each thing that must hold. */
import type { PolicyAnswer } from '../../http/openapi/environments.ts'

export function policySentences(policy: PolicyAnswer): readonly string[] {
  const { promote, checks, soak, freezes, schema, override } = policy
  return [
    promote === 'automatic'
      ? 'Every upload is asked for here at once.'
      : 'Only what somebody asks for is published here.',
    ...(['commit', 'acceptance', 'manual'] as const).flatMap((stage) => checkSentence(stage, checks[stage])),
    approvalSentence(policy),
    ...(soak === null ? [] : [`A build must have stood in the environment before for ${soak} in all.`]),
    ...(schema === 'none' ? [] : ['One must be able to go back from its schema to what stands here.']),
    ...freezes.map(
      ({ from, to, timeZone, reason }) =>
        `Nothing is published from ${from} to ${to}, by the clocks of ${timeZone}: ${reason.replace(/\.$/, '')}.`,
    ),
    override.roles.length === 0
      ? 'Nobody may skip the waiting.'
      : `In an emergency ${anyOf(override.roles)} may skip the waiting, with a reason.`,
  ]
}

function checkSentence(stage: string, names: readonly string[]): readonly string[] {
  if (names.length === 0) return []
  const quoted = names.map((name) => `"${name}"`).join(', ')
  return [
    names.length === 1
      ? `The ${stage} check ${quoted} must have passed.`
      : `The ${stage} checks ${quoted} must have passed.`,
  ]
}

function approvalSentence({ approvals: { count, roles } }: PolicyAnswer): string {
  if (count === 0) return 'Nobody has to approve it.'
  const who =
    count === 1 ? `${anyOf(roles)} must approve it` : `${String(count)} must approve it, each ${anyOf(roles)}`
  return `${who.charAt(0).toUpperCase()}${who.slice(1)}; never whoever asked for it.`
}

/** `an approver or a release manager`. */
function anyOf(roles: readonly string[]): string {
  return roles.map((role) => `${/^[aeiou]/.test(role) ? 'an' : 'a'} ${role.replace('-', ' ')}`).join(' or ')
}
