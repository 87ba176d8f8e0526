/** What the claims of a CI's token say of its job, made comparable and sayable. */
import type { Provider } from './trust-shape.ts'

export type Facts = Readonly<Record<string, string>>

/**
 * Texts, numbers and truth values of the claims, as texts. Of GitHub `workflow` is the file in the repository's
 * `.github/workflows`, taken from `workflow_ref` (`acme/shop/.github/workflows/release.yml@refs/heads/main`): the claim of
 * that name is what the file calls itself.
 */
export function factsOf(provider: Provider, claims: Readonly<Record<string, unknown>>): Facts {
  const facts = Object.fromEntries(
    Object.entries(claims).flatMap(([name, value]) =>
      ['string', 'number', 'boolean'].includes(typeof value) ? [[name, String(value)]] : [],
    ),
  )
  if (provider !== 'github') return facts
  const { workflow: _name, ...rest } = facts
  const file = workflowFile(facts)
  return file === null ? rest : { ...rest, workflow: file }
}

function workflowFile({ repository, workflow_ref: ref = '' }: Record<string, string>): string | null {
  const folder = `${repository ?? ''}/.github/workflows/`
  const end = ref.indexOf('@')
  return ref.startsWith(folder) && end > 0 ? ref.slice(folder.length, end) : null
}

const LONGEST_NAME = 64

/** The job, as the name of its token: `GitHub acme/shop run 812.1`, `Jenkins team/shop build 45`. */
export function jobName(provider: Provider, facts: Facts): string {
  const of = (name: string): string => facts[name] ?? '?'
  switch (provider) {
    case 'github':
      return fitted('GitHub', of('repository'), `run ${of('run_id')}.${of('run_attempt')}`)
    case 'gitlab':
      return fitted('GitLab', of('project_path'), `job ${of('job_id')}`)
    case 'jenkins': {
      const job = of('sub').split('/job/').slice(1).join('/').replace(/\/$/, '')
      return fitted('Jenkins', job, `build ${of('build_number')}`)
    }
    case 'other':
      return fitted('CI', of('sub'), '')
  }
}

/** The end of a path says more than its beginning. */
function fitted(kind: string, path: string, run: string): string {
  const tail = run === '' ? '' : ` ${run.slice(0, 32)}`
  const name = `${kind} ${path.slice(-(LONGEST_NAME - kind.length - 1 - tail.length))}${tail}`
  return name.replaceAll(/[^\p{L}\p{N} ._:@/-]/gu, '_')
}
