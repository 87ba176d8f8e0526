/** Every address that has to do with one node's restore points and binhost. */

interface Route {
  readonly method: string
  readonly path: string
  readonly bytes?: Buffer<ArrayBuffer>
}

/** With a complete point of that id, which has a dump and that package, each GET is answered with 200 to its node. */
export function routesOfPoint(node: string, point: string, binpkg: string): readonly Route[] {
  const points = `/api/v1/nodes/${node}/restore-points`
  const binhost = `/binhost/nodes/${node}`
  const bytes = Buffer.from('mine')
  return [
    { method: 'GET', path: `${binhost}/Packages` },
    { method: 'GET', path: `${binhost}/Packages.gz` },
    { method: 'GET', path: `${binhost}/${binpkg}` },
    { method: 'GET', path: points },
    { method: 'GET', path: `${points}/${point}` },
    { method: 'GET', path: `${points}/${point}/binpkgs/${binpkg}` },
    { method: 'GET', path: `${points}/${point}/dumps/shop.dump` },
    { method: 'GET', path: `${points}/${point}/infos/atoms.txt` },
    { method: 'GET', path: `/api/v1/nodes/${node}` },
    { method: 'GET', path: `/nodes/${node}/etc/portage/binrepos.conf/portage-hub.conf` },
    { method: 'POST', path: points, bytes },
    { method: 'PUT', path: `${points}/${point}/binpkgs/${binpkg}`, bytes },
    { method: 'PUT', path: `${points}/${point}/dumps/other.dump`, bytes },
    { method: 'POST', path: `${points}/${point}/complete` },
    { method: 'POST', path: `/api/v1/nodes/${node}/report`, bytes },
    { method: 'DELETE', path: `/api/v1/nodes/${node}` },
  ]
}
