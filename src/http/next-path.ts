/**
 * Where to go after signing in: the path that was asked for, if it is one of this hub. Everything else, and whatever a
 * browser might take for another host (`//evil.example`, `/\evil.example`), is the board.
 */
export function nextPath(given: unknown): string {
  if (typeof given !== 'string' || !/^\/(?![/\\])[\x21-\x7e]{0,2000}$/.test(given)) return '/'
  const base = 'http://hub.invalid'
  const url = URL.canParse(given, base) ? new URL(given, base) : null
  const isOwn = url?.origin === base && !given.includes('\\') && !/^\/sign-(?:in|out)/.test(url.pathname)
  return isOwn ? url.pathname + url.search + url.hash : '/'
}
