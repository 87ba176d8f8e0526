/** The path of an address as logs and refusals show it: without the query, and without the secret of a link to sign in. */
export function shownPath(url: string): string {
  const [path = ''] = url.split('?', 1)
  return path.replace(/^(\/+sign-in\/).+$/, '$1…')
}
