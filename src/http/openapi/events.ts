import { z } from 'zod'
import { told } from './audit.ts'
import { content } from './operation.ts'
import type { Noun } from './operation.ts'

/** What `/events` sends and webhooks get. */
export const event = z
  .strictObject(told)
  .meta({ id: 'Event', description: 'The public part of a record of the audit, under its number.' })

export const events: Noun = {
  name: 'Events',
  description: 'What changes, as it changes: each asker gets what it may know of.',
  operations: {
    'events.follow': {
      call: 'GET /events',
      summary: 'Follow events',
      description:
        'Server-sent events, as `EventSource` of browsers and `curl -N` read them: `data` is an `Event` as JSON. Whoever loses the connection sends the last id as `Last-Event-ID` and gets every event behind it, once.',
      who: 'any token',
      query: {
        type: z.string().optional().describe('One or more types, with commas between.'),
        app: z.string().optional(),
        environment: z.string().optional(),
        after: z.int().min(0).optional().describe('Begin behind this event; 0: with the first.'),
        follow: z
          .enum(['true', 'false'])
          .optional()
          .describe('false: end when everything that is there was told.'),
      },
      headers: { 'Last-Event-ID': z.string().optional() },
      answers: { 200: content('Events, until somebody ends it.', 'text/event-stream') },
      refusals: ['events.too_many'],
    },
  },
}
