/** Every noun of the API, in the order of the document. */
import { apps } from './apps.ts'
import { marks } from './marks.ts'
import { thisDocument } from './this-document.ts'
import { trust } from './trust.ts'
import type { Noun } from './operation.ts'

export const NOUNS: readonly Noun[] = [apps, marks, trust, thisDocument]
