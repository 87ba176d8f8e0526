import type { TestHub } from './test-hub.ts'

/** Every hold there ever was, newest first, as the API tells them. */
export async function holdsTable(hub: TestHub): Promise<readonly Record<string, unknown>[]> {
  const { body } = await hub.as().get('/api/v1/holds?state=all')
  return (body as { items: Record<string, unknown>[] }).items
}
