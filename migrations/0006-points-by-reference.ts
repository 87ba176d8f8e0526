/**
 * Restore points by reference: a package whose image the hub has from elsewhere comes as its metadata alone. Files learn
 * which image they claim, and in which blob they are here; packages, what their image is and which files were changed.
 */
import type { Kysely } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('restore_point_files').addColumn('image_digest', 'text').execute()
  await db.schema.alterTable('restore_point_files').addColumn('metadata', 'text').execute()
  await db.schema.alterTable('restore_point_files').addColumn('assembled_sha512', 'text').execute()
  await db.schema
    .createIndex('restore_point_files_assembled')
    .on('restore_point_files')
    .column('assembled_sha512')
    .execute()
  await db.schema.alterTable('binpkgs').addColumn('image_digest', 'text').execute()
  await db.schema.alterTable('binpkgs').addColumn('changed_files', 'text').execute()
  await db.schema.createIndex('binpkgs_image').on('binpkgs').columns(['image_digest', 'cpv']).execute()
}
