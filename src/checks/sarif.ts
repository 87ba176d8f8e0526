/** SARIF 2.1.0 (OASIS): runs of a tool, each with results; what the hub shows of each is level, rule, message, place. */
import { z } from 'zod'
import { countStates, FINDING_STATES, lineNumberOf, lineOf, MOST_ITEMS, pathOf } from './report.ts'
import type { Finding, FindingState, Report } from './report.ts'
import { invalidReport } from './read-xml.ts'

const location = z.object({
  physicalLocation: z
    .object({
      artifactLocation: z.object({ uri: z.string().optional() }).optional(),
      region: z.object({ startLine: z.number().optional() }).optional(),
    })
    .optional(),
})
const result = z.object({
  ruleId: z.string().optional(),
  rule: z.object({ id: z.string().optional(), index: z.int().optional() }).optional(),
  ruleIndex: z.int().optional(),
  kind: z.string().optional(),
  level: z.enum(FINDING_STATES).optional(),
  message: z.object({ text: z.string().optional(), id: z.string().optional() }),
  locations: z.array(location).optional(),
  suppressions: z.array(z.unknown()).optional(),
})
const rule = z.object({
  id: z.string().optional(),
  shortDescription: z.object({ text: z.string().optional() }).optional(),
  defaultConfiguration: z.object({ level: z.enum(FINDING_STATES).optional() }).optional(),
})
const run = z.object({
  tool: z.object({ driver: z.object({ name: z.string(), rules: z.array(rule).optional() }) }),
  results: z.array(result).nullish(),
})
const sarif = z.object({ version: z.literal('2.1.0'), runs: z.array(run).max(100) })

type Run = z.infer<typeof run>
type Result = z.infer<typeof result>
type RulesById = ReadonlyMap<string | undefined, z.infer<typeof rule>>

/** @throws {HubError} `check.report_invalid`. */
export function readSarif(name: string, bytes: Buffer): Report {
  const parsed = sarif.safeParse(parseJson(name, bytes))
  if (!parsed.success) {
    const [first] = parsed.error.issues
    throw invalidReport(name, `${first?.path.join('.') ?? ''}: ${first?.message ?? 'not SARIF 2.1.0'}`)
  }
  const items = parsed.data.runs.flatMap(findingsOf)
  if (items.length > MOST_ITEMS)
    throw invalidReport(name, `it has more than ${String(MOST_ITEMS)} results: send it in parts`)
  return { name, format: 'sarif', counts: countStates(FINDING_STATES, items), items }
}

function parseJson(name: string, bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw invalidReport(name, 'it is not JSON in UTF-8')
  }
}

/** What somebody suppressed, and results that say that all is well, are no findings. */
function findingsOf(run: Run): readonly Finding[] {
  const rules = new Map(run.tool.driver.rules?.map((rule) => [rule.id, rule]))
  return (run.results ?? [])
    .filter(({ kind = 'fail', suppressions = [] }) => kind === 'fail' && suppressions.length === 0)
    .map((result) => findingOf(run, rules, result))
}

function findingOf({ tool: { driver } }: Run, rules: RulesById, result: Result): Finding {
  const known = driver.rules?.[result.ruleIndex ?? result.rule?.index ?? -1]
  const id = result.ruleId ?? result.rule?.id ?? known?.id
  const rule = known ?? rules.get(id)
  const place = result.locations?.[0]?.physicalLocation
  // SARIF 2.1.0, "level property": that of the rule, else "warning".
  const state: FindingState = result.level ?? rule?.defaultConfiguration?.level ?? 'warning'
  return {
    kind: 'finding',
    tool: lineOf(driver.name) ?? '(no name)',
    rule: lineOf(id),
    file: pathOf(place?.artifactLocation?.uri),
    line: lineNumberOf(place?.region?.startLine),
    state,
    message: lineOf(result.message.text) ?? lineOf(rule?.shortDescription?.text) ?? '(no message)',
  }
}
