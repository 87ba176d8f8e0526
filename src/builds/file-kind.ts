/** What a file is, for those who look at it: told by its bytes, and by its name where bytes do not tell. */

/** Images that browsers show and that cannot do more than that, in an `<img>`. */
const IMAGES: readonly (readonly [type: string, begins: RegExp])[] = [
  ['image/png', /^\x89PNG\r\n\x1a\n/],
  ['image/jpeg', /^\xff\xd8\xff/],
  ['image/gif', /^GIF8[79]a/],
  ['image/webp', /^RIFF[^]{4}WEBP/],
]

/** So many of the first bytes tell it. */
const TELLING_BYTES = 512

/** The media type of an image; null: it is none that is shown. SVG is text, and told by its name. */
export function imageType(name: string, head: Buffer): string | null {
  const text = head.toString('latin1', 0, TELLING_BYTES)
  if (/\.svg$/i.test(name) && text.includes('<')) return 'image/svg+xml'
  return IMAGES.find(([, begins]) => begins.test(text))?.[0] ?? null
}

/** Text has no NUL. */
export function isText(content: Buffer): boolean {
  return !content.includes(0)
}
