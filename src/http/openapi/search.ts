import { z } from 'zod'
import { json } from './operation.ts'
import type { Answering, Noun } from './operation.ts'
import { limitOf } from './parameters.ts'
import { named, time } from './values.ts'

/** In the order in which they stand where they match alike. */
export const FOUND_KINDS = [
  'app',
  'build',
  'commit',
  'tarball',
  'promotion',
  'node',
  'revision',
  'binpkg',
  'dump',
  'file',
  'person',
  'token',
] as const

const found = z
  .strictObject({
    kind: z.enum(FOUND_KINDS),
    id: named('Of its kind; of a file its build and its path in the tarball.', 'shop/45'),
    name: named('What people call it.', 'shop build 45'),
    about: z.string().describe('What tells it from others of that name.'),
    page: named('The address of its page.', '/apps/shop/builds/45'),
    at: time.nullable().describe('When it came to be; null: that is not kept.'),
    matched: z
      .strictObject({
        in: named('Which of its values matched.', 'version'),
        text: named('That value.', '1.4.0'),
        marks: z
          .array(z.tuple([z.int().min(0), z.int().min(1)]))
          .describe('From where to where in the text, in UTF-16 units, as JavaScript counts.'),
      })
      .describe('Where the words were found.'),
    exact: z.boolean().describe('The words are its name, number, id or digest, whole.'),
  })
  .meta({ id: 'Found' })
export type Found = Answering<typeof found>

const searched = z
  .strictObject({
    q: z.string().describe('The words, as they were looked for.'),
    groups: z
      .array(
        z.strictObject({
          kind: z.enum(FOUND_KINDS),
          items: z.array(found).describe('Best first.'),
          more: z.boolean().describe('There are more of the kind; a higher `limit` gives them.'),
        }),
      )
      .describe('One for each kind of which something was found, best first.'),
    only: z
      .string()
      .nullable()
      .describe('The address of the page of the one thing that the words name; null: none or several.'),
  })
  .meta({ id: 'Searched' })
export type Searched = Answering<typeof searched>

export const search: Noun = {
  name: 'Search',
  description: 'Everything by one line of words.',
  operations: {
    'search.find': {
      call: 'GET /search',
      summary: 'Search everything',
      description:
        'Finds apps and nodes by part of their name; builds by number (`45`, `shop 45`, `shop/45`), version (`shop-1.4.0`, `1.4`) and branch; commits of builds and of overlays by their beginning, of 6 digits or more; tarballs, binary packages and dumps by the beginning of a digest, of 8 digits or more; promotions by id; files inside tarballs by part of their path; for administrators people and tokens. Text is looked for by words of three letters or more. Nothing is found or counted that the asker may not see.',
      who: 'any token',
      query: {
        q: z.string().optional().describe('The words; of more than 200 characters the first 200.'),
        limit: limitOf(10, 50).describe('How many of each kind at most; 10 unless it is said.'),
      },
      answers: { 200: json('What was found.', searched) },
    },
  },
}
