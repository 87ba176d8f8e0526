/** What was found, as the search tells it: one function for each kind. */
import { timestamp } from '../clock.ts'
import type { AppRow } from '../records/apps.ts'
import type { BinpkgRow } from '../records/binpkgs.ts'
import type { BuildRow } from '../records/builds.ts'
import type { FoundFile } from '../records/file-index.ts'
import type { NodeRow } from '../records/nodes.ts'
import type { RevisionRow } from '../records/overlays.ts'
import type { PersonRow } from '../records/people.ts'
import type { PromotionRow } from '../records/promotions.ts'
import type { RestorePointFileRow } from '../records/restore-points.ts'
import type { TokenRow } from '../records/tokens.ts'
import { fileAddress } from '../web/pages/files-page.ts'
import { historyAddress } from '../web/pages/revision-page.ts'
import { buildAddress, nodeAddress } from '../web/pages/words.ts'
import type { Found } from './openapi/search.ts'
import { marksOf } from './search-words.ts'
import type { SearchWords } from './search-words.ts'

/** The values of a thing in which the words may be, the most telling first. */
type Values = readonly (readonly [name: string, text: string | null])[]

/** The value that has most of the words; of several the first. */
function matchIn(values: Values, { text, words }: SearchWords): Found['matched'] {
  const shown = values.flatMap(([name, value]) => (value === null ? [] : [{ in: name, text: value }]))
  const judged = shown.map((value) => {
    const marks = marksOf(value.text, [text, ...words])
    return { value, marks, marked: marks.reduce((sum, [from, to]) => sum + to - from, 0) }
  })
  const [best] = judged.sort((a, b) => b.marked - a.marked)
  return best ? { ...best.value, marks: best.marks } : { in: 'name', text: '', marks: [] }
}

const isSame = (a: string | null, b: string): boolean => a?.toLowerCase() === b.toLowerCase()

export function foundApp(app: AppRow, words: SearchWords): Found {
  return {
    ...{ kind: 'app', id: app.name, name: app.name, page: `/apps/${app.name}`, at: app.createdAt },
    about: app.description ?? `${app.category}/${app.name}`,
    matched: matchIn([['name', app.name]], words),
    exact: isSame(app.name, words.text),
  }
}

const nameOf = ({ app, build }: Pick<BuildRow, 'app' | 'build'>): string => `${app} build ${String(build)}`

function ofBuild(build: BuildRow) {
  return {
    ...{ id: `${build.app}/${String(build.build)}`, name: nameOf(build), page: buildAddress(build) },
    ...{ about: build.semver ?? build.pv, at: build.receivedAt },
  }
}

export function foundBuild(build: BuildRow, words: SearchWords): Found {
  const { app, semver, pv, branch } = build
  const { numbered, versioned } = words
  const isNumbered = numbered?.build === build.build
  const values: Values = [
    ['build', nameOf(build)],
    ['version', semver],
    ['package', `${app}-${pv}`],
    ['branch', branch],
  ]
  return {
    ...{ kind: 'build', ...ofBuild(build) },
    matched: matchIn(values, words),
    exact: isNumbered
      ? isSame(numbered.app, app)
      : versioned.some(
          (one) => isSame(one.app, app) && (isSame(semver, one.version) || isSame(pv, one.version)),
        ),
  }
}

export function foundCommit(build: BuildRow, words: SearchWords): Found {
  const id = build.commitId ?? ''
  return {
    ...{ kind: 'commit', ...ofBuild(build), id, about: build.branch ?? ofBuild(build).about },
    matched: beginningOf('commit', id, words.text),
    exact: isSame(id, words.text),
  }
}

export function foundTarball(build: BuildRow, words: SearchWords): Found {
  return {
    ...{ kind: 'tarball', ...ofBuild(build), about: build.distfileName },
    ...matchedDigest(build, words),
  }
}

export function foundBinpkg(one: BinpkgRow, words: SearchWords): Found {
  return {
    ...{ kind: 'binpkg', id: `${one.node}/${one.path}`, name: `${one.cpv}-${String(one.binpkgBuildId)}` },
    ...{ about: `of ${one.node}`, page: nodeAddress(one.node), at: one.acceptedAt },
    ...matchedDigest(one, words),
  }
}

/** A dump, or a package as its node sent it. */
export function foundPointFile(file: RestorePointFileRow, words: SearchWords): Found {
  return {
    ...{ kind: file.kind === 'dump' ? 'dump' : 'binpkg', id: `${file.node}/${file.point}/${file.name}` },
    ...{ name: file.name, about: `of ${file.point} of ${file.node}`, page: nodeAddress(file.node) },
    ...{ at: file.receivedAt, ...matchedDigest(file, words) },
  }
}

export function foundPromotion(one: PromotionRow, words: SearchWords): Found {
  return {
    ...{ kind: 'promotion', id: one.id, name: `${nameOf(one)} to ${one.environment}`, at: one.requestedAt },
    ...{ about: one.state.replaceAll('_', ' '), page: `/promotions/${one.id}` },
    matched: beginningOf('id', one.id, words.text),
    exact: one.id === words.text,
  }
}

export function foundNode(node: NodeRow, words: SearchWords): Found {
  return {
    ...{ kind: 'node', id: node.name, name: node.name, page: nodeAddress(node.name), at: node.enrolledAt },
    about: `${node.environment}${node.leftAt === null ? '' : ', left'}`,
    matched: matchIn([['name', node.name]], words),
    exact: isSame(node.name, words.text),
  }
}

export function foundRevision(one: RevisionRow, words: SearchWords): Found {
  const number = String(one.number)
  return {
    kind: 'revision',
    id: `${one.environment}@${number}`,
    name: `${one.environment} revision ${number}`,
    ...{ about: one.message.split('\n', 1)[0] ?? '', page: `${historyAddress(one.environment)}/${number}` },
    at: timestamp(new Date(one.timeSec * 1000)),
    matched: beginningOf('commit', one.commitOid, words.text),
    exact: isSame(one.commitOid, words.text),
  }
}

/** In the newest build that has it. */
export function foundFile(file: FoundFile, build: BuildRow, words: SearchWords): Found {
  const path = build.topDirectory === null ? file.path : `${build.topDirectory}/${file.path}`
  const range =
    file.builds === 1
      ? `build ${String(file.newestBuild)}`
      : `builds ${String(file.firstBuild)} to ${String(file.newestBuild)}, in ${String(file.builds)} of them`
  return {
    kind: 'file',
    id: `${file.app}/${String(file.newestBuild)}/${path}`,
    name: file.path,
    at: build.receivedAt,
    ...{ about: `${file.app}, ${range}`, page: fileAddress(build, path) },
    matched: matchIn([['path', file.path]], words),
    exact: false,
  }
}

export function foundPerson(person: PersonRow, words: SearchWords): Found {
  const { id, name, fullName, createdAt, disabledAt } = person
  const values: Values = [
    ['name', name],
    ['full name', fullName],
  ]
  return {
    ...{ kind: 'person', id, name, page: `/people/${encodeURIComponent(name)}`, at: createdAt },
    about: `${fullName ?? ''}${disabledAt === null ? '' : ' (disabled)'}`.trim(),
    matched: matchIn(values, words),
    exact: isSame(name, words.text),
  }
}

export function foundToken({ id, name, role, createdAt, revokedAt }: TokenRow, words: SearchWords): Found {
  const values: Values = [
    ['name', name],
    ['id', id],
  ]
  return {
    ...{ kind: 'token', id, name, page: '/tokens', at: createdAt },
    about: `${role}${revokedAt === null ? '' : ', revoked'}`,
    matched: matchIn(values, words),
    exact: id === words.text,
  }
}

function beginningOf(name: string, value: string, text: string): Found['matched'] {
  return { in: name, text: value, marks: [[0, text.length]] }
}

const DIGESTS = ['sha512', 'blake2b', 'sha256'] as const
type Digested = Readonly<Partial<Record<(typeof DIGESTS)[number], string | null>>>

function matchedDigest(digests: Digested, { digest }: SearchWords): Pick<Found, 'matched' | 'exact'> {
  const prefix = digest ?? ''
  const algorithm = DIGESTS.find((one) => digests[one]?.startsWith(prefix)) ?? 'sha512'
  const value = digests[algorithm] ?? ''
  return { matched: beginningOf(algorithm, value, prefix), exact: value === prefix }
}
