/** Webhooks and their deliveries. */
import type { Selectable } from 'kysely'
import type { Db } from './database.ts'
import { pageOf } from './page.ts'
import type { Page, PageRequest } from './page.ts'
import type { WebhookDeliveryTable, WebhookTable } from './webhook-tables.ts'

export type WebhookRow = Selectable<WebhookTable>
export type DeliveryRow = Selectable<WebhookDeliveryTable>
export type DeliveryState = DeliveryRow['state']

export class WebhookRecords {
  readonly #db: Db

  constructor(db: Db) {
    this.#db = db
  }

  async add(webhook: WebhookRow): Promise<void> {
    await this.#db.insertInto('webhooks').values(webhook).execute()
  }

  async find(id: string): Promise<WebhookRow | undefined> {
    return await this.#db.selectFrom('webhooks').selectAll().where('id', '=', id).executeTakeFirst()
  }

  async enabled(): Promise<readonly WebhookRow[]> {
    return await this.#db.selectFrom('webhooks').selectAll().where('enabled', '=', 1).orderBy('id').execute()
  }

  async update(
    id: string,
    change: Pick<WebhookRow, 'enabled' | 'afterSeq' | 'types' | 'app' | 'environment'>,
  ): Promise<void> {
    await this.#db.updateTable('webhooks').set(change).where('id', '=', id).execute()
  }

  /** With all of its deliveries. Belongs into a transaction. */
  async remove(id: string): Promise<void> {
    await this.#db.deleteFrom('webhookDeliveries').where('webhook', '=', id).execute()
    await this.#db.deleteFrom('webhooks').where('id', '=', id).execute()
  }

  /** Oldest first. */
  async list({ limit, cursor }: PageRequest): Promise<Page<WebhookRow>> {
    let query = this.#db
      .selectFrom('webhooks')
      .selectAll()
      .orderBy('id')
      .limit(limit + 1)
    if (cursor !== null) query = query.where('id', '>', cursor)
    return pageOf(await query.execute(), limit, ({ id }) => id)
  }

  /** The newest event that was looked at for all webhooks. */
  async queuedUpTo(): Promise<number> {
    return (await this.#db.selectFrom('webhookQueue').select('seq').executeTakeFirstOrThrow()).seq
  }

  /** Belongs into the transaction that adds the deliveries. */
  async setQueuedUpTo(seq: number): Promise<void> {
    await this.#db.updateTable('webhookQueue').set({ seq }).execute()
  }

  async addDelivery(delivery: DeliveryRow): Promise<void> {
    await this.#db.insertInto('webhookDeliveries').values(delivery).execute()
  }

  async findDelivery(webhook: string, id: string): Promise<DeliveryRow | undefined> {
    return await this.#db
      .selectFrom('webhookDeliveries')
      .selectAll()
      .where('webhook', '=', webhook)
      .where('id', '=', id)
      .executeTakeFirst()
  }

  async updateDelivery(
    id: string,
    change: Pick<DeliveryRow, 'state' | 'attempts' | 'nextAt'> & Partial<DeliveryRow>,
  ): Promise<void> {
    await this.#db.updateTable('webhookDeliveries').set(change).where('id', '=', id).execute()
  }

  /** Newest first. */
  async listDeliveries(
    webhook: string,
    state: DeliveryState | null,
    { limit, cursor }: PageRequest,
  ): Promise<Page<DeliveryRow>> {
    let query = this.#db
      .selectFrom('webhookDeliveries')
      .selectAll()
      .where('webhook', '=', webhook)
      .orderBy('seq', 'desc')
      .limit(limit + 1)
    if (state !== null) query = query.where('state', '=', state)
    if (cursor !== null) query = query.where('seq', '<', Number(cursor))
    return pageOf(await query.execute(), limit, ({ seq }) => String(seq))
  }

  /** How many wait, and how many were given up and not forgotten yet. */
  async countDeliveries(): Promise<{ readonly waiting: number; readonly dead: number }> {
    const counts = await this.#db
      .selectFrom('webhookDeliveries')
      .select(['state', ({ fn }) => fn.countAll<number>().as('count')])
      .where('state', 'in', ['waiting', 'dead'])
      .groupBy('state')
      .execute()
    const of = (state: DeliveryState) => counts.find((one) => one.state === state)?.count ?? 0
    return { waiting: of('waiting'), dead: of('dead') }
  }

  /** The enabled webhooks that have something to be tried at `now`. */
  async withDue(now: string): Promise<readonly string[]> {
    const rows = await this.#due(now).select('webhooks.id').distinct().execute()
    return rows.map(({ id }) => id)
  }

  /** What is to be tried first of it, by the order of events; undefined: nothing is due, or it is not enabled any more. */
  async nextDue(webhook: string, now: string): Promise<DeliveryRow | undefined> {
    return await this.#due(now)
      .selectAll('webhookDeliveries')
      .where('webhooks.id', '=', webhook)
      .orderBy('webhookDeliveries.seq')
      .limit(1)
      .executeTakeFirst()
  }

  #due(now: string) {
    return this.#db
      .selectFrom('webhookDeliveries')
      .innerJoin('webhooks', 'webhooks.id', 'webhookDeliveries.webhook')
      .where('webhookDeliveries.state', '=', 'waiting')
      .where('webhookDeliveries.nextAt', '<=', now)
      .where('webhooks.enabled', '=', 1)
  }

  /** Removes what was delivered or given up and last tried before `time`. */
  async prune(time: string): Promise<void> {
    await this.#db
      .deleteFrom('webhookDeliveries')
      .where('state', '!=', 'waiting')
      .where('lastAt', '<', time)
      .execute()
  }
}
