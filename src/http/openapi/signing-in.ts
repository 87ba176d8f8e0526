import { z } from 'zod'
import { linkSchema, passwordSchema, signInSchema, signOutSchema } from '../sign-in-routes.ts'
import { dryRunMark, json, orDryRun } from './operation.ts'
import type { Answering, Noun } from './operation.ts'
import { person } from './people.ts'
import { time } from './values.ts'

const session = z
  .strictObject({
    id: z.string(),
    way: z.enum(['password', 'link', 'openid']).describe('How it was opened.'),
    address: z.string().nullable(),
    userAgent: z.string().nullable(),
    createdAt: time,
    seenAt: time.describe('About when it was used last.'),
    expiresAt: time.describe('At the latest.'),
    current: z.boolean().describe('Whether it is the one that asks.'),
  })
  .meta({ id: 'Session' })
export type Session = Answering<typeof session>

const opened = z.strictObject({
  person,
  session,
  csrf: z.string().describe('Goes with every change, as `X-CSRF-Token`.'),
})
const COOKIE = { 'Set-Cookie': z.string().describe('The session. Over TLS its name begins with `__Host-`.') }
const NO_DRY_RUN = { dryRun: false, key: false } as const

export const signingIn: Noun = {
  name: 'Signing in',
  description: 'Sessions of people, for browsers. Programs send a token.',
  operations: {
    'session.ways': {
      call: 'GET /sign-in',
      summary: 'Tell how one may sign in',
      who: 'anyone',
      answers: {
        200: json(
          'The ways.',
          z.strictObject({
            password: z.literal(true),
            openid: z
              .strictObject({
                name: z.string().describe('What people know the provider as.'),
                address: z.string().describe('Where a browser begins.'),
              })
              .nullable()
              .describe('null: the hub has no OpenID provider.'),
          }),
        ),
      },
    },
    'session.open': {
      call: 'POST /sign-in',
      summary: 'Sign in with a name and a password',
      who: 'anyone',
      body: { schema: signInSchema, example: { name: 'anna', password: 'four words by chance' } },
      change: NO_DRY_RUN,
      answers: { 200: json('Signed in.', opened, COOKIE) },
      refusals: ['auth.sign_in_failed', 'auth.too_many', 'auth.csrf'],
    },
    'session.openByLink': {
      call: 'POST /sign-in/link',
      summary: 'Sign in by a link, once',
      who: 'anyone',
      body: { schema: linkSchema, example: { link: 'https://hub.acme.example/sign-in/n0tAreal1ink' } },
      change: NO_DRY_RUN,
      answers: { 200: json('Signed in. A password may be set without the one before.', opened, COOKIE) },
      refusals: ['auth.link_invalid', 'auth.too_many', 'auth.csrf'],
    },
    'session.close': {
      call: 'POST /sign-out',
      summary: 'Sign out, here or everywhere',
      who: 'is signed in',
      body: { schema: signOutSchema, example: { everywhere: true }, optional: true },
      change: { key: false },
      answers: {
        200: json(
          'How many sessions ended.',
          z.strictObject({ ended: z.int(), dryRun: dryRunMark.optional() }),
        ),
      },
      refusals: ['auth.csrf'],
    },
    'session.get': {
      call: 'GET /session',
      summary: 'Get the session that asks',
      who: 'is signed in',
      answers: { 200: json('It, with its `csrf`.', opened) },
    },
    'sessions.list': {
      call: 'GET /sessions',
      summary: 'List one’s own sessions',
      description: 'Newest first.',
      who: 'is signed in',
      answers: {
        200: json('All of them.', z.strictObject({ items: z.array(session), nextCursor: z.null() })),
      },
    },
    'sessions.end': {
      call: 'DELETE /sessions/{session}',
      summary: 'End one of one’s own sessions',
      who: 'is signed in',
      change: { key: false },
      answers: { 200: json('It has ended.', orDryRun(session)) },
      refusals: ['session.unknown', 'auth.csrf'],
    },
    'password.set': {
      call: 'PUT /password',
      summary: 'Set one’s own password',
      description:
        'All other sessions end. `current` is asked for unless the session was opened by a link, or there is no password yet.',
      who: 'is signed in',
      body: {
        schema: passwordSchema,
        example: { password: 'other words by chance', current: 'those before' },
      },
      change: { key: false },
      answers: {
        200: json(
          'A new session in place of the one that asked.',
          z.union([opened, z.strictObject({ dryRun: dryRunMark })]),
          COOKIE,
        ),
      },
      refusals: ['password.unfit', 'password.wrong', 'auth.too_many', 'auth.csrf'],
    },
  },
}
