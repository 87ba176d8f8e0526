/**
 * `metadata.xml` of one package.
 * Source: GLEP 68 "Package and category metadata". The client only prints its maintainer lines.
 */
import { cleanText } from './quote.ts'

export interface PackageMetadata {
  readonly maintainer?: { readonly email: string; readonly name?: string } | undefined
  readonly longdescription?: string | undefined
}

/**
 * Renders `metadata.xml`. Texts are cleaned (one line, no controls) and escaped; a maintainer or a longdescription that
 * is empty then is left out.
 */
export function renderMetadataXml({ maintainer, longdescription }: PackageMetadata): string {
  const email = cleanText(maintainer?.email ?? '', 254)
  const name = cleanText(maintainer?.name ?? '', 200)
  const description = cleanText(longdescription ?? '', 4000)
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    '<!DOCTYPE pkgmetadata SYSTEM "https://www.gentoo.org/dtd/metadata.dtd">',
    '<pkgmetadata>',
    ...(email === '' ? [] : maintainerLines(email, name)),
    ...(description === ''
      ? []
      : [`\t<longdescription lang="en">${escapeXml(description)}</longdescription>`]),
    '</pkgmetadata>',
  ]
  return `${lines.join('\n')}\n`
}

function maintainerLines(email: string, name: string): readonly string[] {
  return [
    '\t<maintainer type="project">',
    `\t\t<email>${escapeXml(email)}</email>`,
    ...(name === '' ? [] : [`\t\t<name>${escapeXml(name)}</name>`]),
    '\t</maintainer>',
  ]
}

// U+FFFE and U+FFFF are the characters outside XML 1.0 "Char" that cleanText leaves.
function escapeXml(text: string): string {
  return text
    .replace(/[\ufffe\uffff]/g, '')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&apos;')
}
