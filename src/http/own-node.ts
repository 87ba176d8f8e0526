import type { Request, Response } from 'express'
import { authorize } from './auth.ts'
import { parameter } from './request.ts'

/** The node of the path, if who asks is that node or an administrator. @throws {HubError} `auth.*`. */
export function ownNode(request: Request, response: Response): string {
  const node = parameter(request, 'node')
  authorize(response, { to: 'act as node', node })
  return node
}
