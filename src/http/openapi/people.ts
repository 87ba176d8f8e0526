import { z } from 'zod'
import { linkWishSchema, personChangeSchema, personSchema } from '../people-routes.ts'
import { dryRunMark, json, orDryRun } from './operation.ts'
import type { Answering, Noun } from './operation.ts'
import { grant } from './tokens.ts'
import { time, who } from './values.ts'

export const person = z
  .strictObject({
    id: z.string().meta({ examples: ['prs_01m83m0379dty7wehpe6zh'] }),
    name: z.string().meta({ description: 'With which they sign in.', examples: ['anna'] }),
    fullName: z.string().nullable(),
    grants: z.array(grant),
    hasPassword: z.boolean(),
    identity: z
      .strictObject({ issuer: z.string(), subject: z.string().nullable() })
      .nullable()
      .describe('As whom an OpenID provider knows them.'),
    state: z.enum(['active', 'disabled']),
    createdBy: who,
    createdAt: time,
    signedInAt: time.nullable(),
    disabledAt: time.nullable(),
  })
  .meta({ id: 'Person' })

export type Person = Answering<typeof person>

const madePerson = person.extend({ id: z.string().nullable(), dryRun: dryRunMark.optional() })
const GRANTS = [{ role: 'release-manager', apps: ['shop'], environments: ['staging'] }]

export const people: Noun = {
  name: 'People',
  description: 'Accounts of people. Nobody is deleted: records name them.',
  operations: {
    'people.add': {
      call: 'POST /people',
      summary: 'Add a person',
      description: 'They sign in by a link at first.',
      who: 'administers',
      body: { schema: personSchema, example: { name: 'anna', fullName: 'Anna Berg', grants: GRANTS } },
      change: true,
      answers: {
        200: json('Whom it would add.', madePerson),
        201: json('The person.', madePerson, { Location: z.string().describe('Of the person.') }),
      },
      refusals: [
        'person.name_taken',
        'person.identity_taken',
        'openid.not_set_up',
        'environment.unknown',
        'app.invalid_name',
      ],
    },
    'people.list': {
      call: 'GET /people',
      summary: 'List people',
      description: 'Oldest first, disabled ones too.',
      who: 'administers',
      page: { of: person },
    },
    'people.get': {
      call: 'GET /people/{person}',
      summary: 'Get a person',
      who: 'is the person',
      answers: { 200: json('The person.', person) },
      refusals: ['person.unknown'],
    },
    'people.change': {
      call: 'PATCH /people/{person}',
      summary: 'Change a person',
      description:
        'Changes what the body names. Who is disabled is signed out everywhere; nobody disables themselves or gives up administration.',
      who: 'administers',
      body: { schema: personChangeSchema, example: { disabled: true } },
      change: true,
      answers: { 200: json('The person as they are now.', orDryRun(person)) },
      refusals: [
        'person.unknown',
        'person.self',
        'person.identity_taken',
        'environment.unknown',
        'app.invalid_name',
      ],
    },
    'people.link': {
      call: 'POST /people/{person}/link',
      summary: 'Make a link by which a person signs in once',
      description:
        'Ends the one that was made before. It is shown this once; a repeated answer has null for it.',
      who: 'administers',
      body: { schema: linkWishSchema, example: { expiresIn: '3d' }, optional: true },
      change: true,
      answers: {
        200: json(
          'What it would make.',
          z.strictObject({ person: z.string(), expiresAt: time, dryRun: dryRunMark }),
        ),
        201: json(
          'The link.',
          z.strictObject({ person: z.string(), expiresAt: time, link: z.string().nullable() }),
        ),
      },
      refusals: ['person.unknown', 'person.disabled'],
    },
    'people.signOut': {
      call: 'POST /people/{person}/sign-out',
      summary: 'End all sessions of a person',
      who: 'administers',
      change: true,
      answers: {
        200: json(
          'How many they were.',
          z.strictObject({ person: z.string(), ended: z.int(), dryRun: dryRunMark.optional() }),
        ),
      },
      refusals: ['person.unknown'],
    },
  },
}
