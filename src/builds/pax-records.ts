/**
 * The records of a pax extended header, read strictly: `<length> <key>=<value>\n`, the length counting the whole record.
 * Source: POSIX pax "pax Extended Header"; GNU tar's `decode_record` and the decoders of its `xhdr_tab`.
 */
import { HubError } from '../errors.ts'
import { corrupt, type Owner } from './tar-header.ts'

/** What a pax header says of the entry that follows and that the hub cares for. */
export interface PaxOverrides {
  readonly path?: string
  readonly linkTarget?: string
  readonly sizeBytes?: number
  readonly owner?: Partial<Owner>
  /** Given if there is anything that unpacking may set besides: extended attributes, access lists. */
  readonly hasAttributes?: true
}

/** The records that nodes' GNU tar reads as numbers, and fails on if they are none. */
const NUMBERS: Readonly<Record<string, RegExp>> = {
  size: /^\d{1,15}$/,
  uid: /^\d{1,9}$/,
  gid: /^\d{1,9}$/,
  mtime: /^-?\d{1,12}(?:\.\d{1,30})?$/,
  atime: /^-?\d{1,12}(?:\.\d{1,30})?$/,
  ctime: /^-?\d{1,12}(?:\.\d{1,30})?$/,
}
/** What says nothing that stays with the unpacked entry, but for its time, or is read above. */
const NO_ATTRIBUTE = new Set(
  'path linkpath size uid gid uname gname mtime atime ctime comment charset hdrcharset'.split(' '),
)
/** GNU tar skips all blanks before a name, and ends it at a NUL: ` path` would be a path to it and nothing to us. */
const UNSAFE_KEY = /^[ \t]|[\0-\x1f\x7f]/
/** Records that change what the entry is: sparse files, volumes and dumps, which no header type announces. */
const CHANGES_THE_ENTRY = /^(?:GNU\.(?:sparse|volume|dumpdir)|SCHILY\.(?:realsize|filetype)|SUN\.holesdata)/

/**
 * Reads the body of a pax header. Unknown records (times, extended attributes) are checked for form only.
 * @throws {HubError} `archive.corrupt` if a record is malformed, has an unusable name or stands twice, `archive.unsafe_type` if it makes the
 * entry sparse or part of something larger.
 */
export function readPaxRecords(body: Buffer): PaxOverrides {
  const records = splitRecords(body)
  for (const [key, value] of records) checkRecord(key, value)
  const path = textRecord(records, 'path')
  const linkTarget = textRecord(records, 'linkpath')
  const size = records.get('size')
  const owner = ownerOf(records)
  return {
    ...(path !== undefined && { path }),
    ...(linkTarget !== undefined && { linkTarget }),
    ...(size !== undefined && { sizeBytes: Number(size) }),
    ...(Object.keys(owner).length > 0 && { owner }),
    ...([...records.keys()].some((key) => !NO_ATTRIBUTE.has(key)) && { hasAttributes: true as const }),
  }
}

function ownerOf(records: ReadonlyMap<string, Buffer>): Partial<Owner> {
  const [uid, gid] = [records.get('uid'), records.get('gid')]
  const [userName, groupName] = [records.get('uname'), records.get('gname')]
  return {
    ...(uid !== undefined && { uid: Number(uid) }),
    ...(gid !== undefined && { gid: Number(gid) }),
    ...(userName !== undefined && { userName: userName.toString('utf8') }),
    ...(groupName !== undefined && { groupName: groupName.toString('utf8') }),
  }
}

/** Two records of one name are read by some as the first and by others as the last: neither will do. */
function splitRecords(body: Buffer): ReadonlyMap<string, Buffer> {
  const records = new Map<string, Buffer>()
  for (let at = 0; at < body.length;) {
    const length = recordLength(body, at)
    const record = body.subarray(at, at + length)
    const start = record.indexOf(' ') + 1
    const equals = record.indexOf('=', start)
    if (equals <= start || record.at(-1) !== 0x0a) throw corrupt('a pax header is malformed')
    const key = record.toString('utf8', start, equals)
    if (UNSAFE_KEY.test(key)) throw corrupt('a pax header has a record of no usable name')
    if (records.has(key)) throw corrupt(`a pax header has ${JSON.stringify(key.slice(0, 60))} twice`)
    records.set(key, record.subarray(equals + 1, -1))
    at += length
  }
  return records
}

function recordLength(body: Buffer, at: number): number {
  const digits = /^([1-9]\d{0,6}) /.exec(body.toString('latin1', at, at + 9))?.[1]
  const length = Number(digits ?? 0)
  if (length < 5 || at + length > body.length) throw corrupt('a pax header is malformed')
  return length
}

function checkRecord(key: string, value: Buffer): void {
  if (CHANGES_THE_ENTRY.test(key)) {
    throw new HubError(
      'archive.unsafe_type',
      `An entry has the pax record ${JSON.stringify(key)}: sparse files and parts of archives are not kept. Pack again without --sparse.`,
    )
  }
  const form = Object.hasOwn(NUMBERS, key) ? NUMBERS[key] : undefined
  if (form !== undefined && !form.test(value.toString('latin1'))) {
    throw corrupt(`a pax header has ${JSON.stringify(value.toString('latin1').slice(0, 60))} for ${key}`)
  }
}

/** An empty value would mean "forget the record"; a NUL would end the name for some readers. */
function textRecord(records: ReadonlyMap<string, Buffer>, key: string): string | undefined {
  const value = records.get(key)
  if (value === undefined) return undefined
  if (value.length === 0 || value.includes(0)) throw corrupt(`a pax header has no usable ${key}`)
  return value.toString('utf8')
}
