import { content } from './operation.ts'
import type { Noun } from './operation.ts'

export const thisDocument: Noun = {
  name: 'This document',
  description: 'The API, described.',
  operations: {
    'openapi.get': {
      call: 'GET /openapi.json',
      summary: 'Get this document',
      who: 'anyone',
      answers: {
        200: content('The document.', 'application/json'),
        304: { description: 'It is the one of `If-None-Match`.' },
      },
    },
  },
}
