/** A path of the API from its parts, each encoded by itself: a slash in a part is no separator. */
export function apiPath(...parts: readonly (string | number)[]): string {
  return `/api/v1/${parts.map((part) => encodeURIComponent(part)).join('/')}`
}

/** A path of files in an address: its slashes separate. */
export function encodePath(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/')
}
