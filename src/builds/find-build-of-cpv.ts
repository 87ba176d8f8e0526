import type { Cpv } from '../gentoo/cpv.ts'
import { pvOf } from '../gentoo/version.ts'
import type { BuildRow } from '../records/builds.ts'
import type { Records } from '../records/records.ts'

/** The build that a package is: its version ends in the number of the build, `1.4.0_p46`. */
export async function findBuildOfCpv(
  records: Pick<Records, 'builds'>,
  { category, pn, pvr }: Cpv,
): Promise<BuildRow | undefined> {
  const pv = pvOf(pvr)
  const number = /_p([1-9][0-9]{0,14})$/.exec(pv)?.[1]
  const found = number === undefined ? undefined : await records.builds.find(pn, Number(number))
  return found?.category === category && found.pv === pv ? found : undefined
}
