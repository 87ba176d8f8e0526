/** What lowlight's types, and a grammar of our own, need of highlight.js. */

interface Mode {
  readonly scope: string
  readonly begin: RegExp
}

export interface Grammar {
  readonly name: string
  readonly contains: readonly Mode[]
}

export type LanguageFn = () => Grammar
