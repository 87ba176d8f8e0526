/** The name of a node: what it logs in as, and a part of addresses and of paths. */
import { HubError } from '../errors.ts'

declare const parsed: unique symbol

/** Lower-case letters, digits, dots and hyphens, at most 63, a letter or digit at both ends: `web1.berlin`. */
export type NodeName = string & { readonly [parsed]: 'NodeName' }

const SHAPE = /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/

export function isNodeName(text: string): text is NodeName {
  return SHAPE.test(text)
}

/** @throws {HubError} `node.invalid_name`. */
export function parseNodeName(text: string): NodeName {
  if (isNodeName(text)) return text
  throw new HubError(
    'node.invalid_name',
    `${JSON.stringify(text.slice(0, 100))} is not a name for a node: send at most 63 lower-case letters, digits, ` +
      'dots and hyphens, with a letter or digit first and last, such as web1',
  )
}
