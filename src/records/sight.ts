/** Which rows lie within what somebody may see. */
import type { Expression, ExpressionBuilder, SqlBool } from 'kysely'
import type { Sight } from '../access/rights.ts'
import type { Schema } from './schema.ts'

/** A condition on rows that name an app and an environment. One in no environment is of all of them. */
export function isInSight<Table extends 'releases' | 'promotions' | 'holds'>(table: Table, sight: Sight) {
  return (builder: ExpressionBuilder<Schema, Table>): Expression<SqlBool> => {
    // The three tables have these columns, which their union does not tell the type.
    const { and, or, eb } = builder as unknown as ExpressionBuilder<Schema, 'holds'>
    const column = (name: 'app' | 'environment') => `${table}.${name}` as `holds.${typeof name}`
    return or(
      sight.map(({ apps, environments }) =>
        and([
          ...(apps === null ? [] : [eb(column('app'), 'in', apps)]),
          ...(environments === null
            ? []
            : [or([eb(column('environment'), 'is', null), eb(column('environment'), 'in', environments)])]),
        ]),
      ),
    )
  }
}
