/** Where the kernel ends up that opens a link, name by name. Source: path_resolution(7). */

export type End = 'inside' | 'outside' | 'too many links'

/** `links` are all symbolic links by their paths, to their targets; every other name counts as a folder. */
export function followAsKernel(path: string, links: ReadonlyMap<string, string>, top: string): End {
  const least = top === '' ? 0 : 1
  const waiting = path.split('/')
  let at: string[] = []
  let followed = 0
  while (waiting.length > 0) {
    const name = waiting.shift() ?? ''
    if (name === '' || name === '.') continue
    if (name === '..') {
      if (at.length <= least) return 'outside'
      at = at.slice(0, -1)
      continue
    }
    const target = links.get([...at, name].join('/'))
    if (target === undefined) at = [...at, name]
    else if (++followed > 40) return 'too many links'
    else if (target.startsWith('/')) return 'outside'
    else waiting.unshift(...target.split('/'))
  }
  return 'inside'
}
