import { expect, test } from 'vitest'
import { renderMetadataXml } from '../../src/gentoo/metadata-xml.ts'
import { injectionCorpus } from '../support/injection-corpus.ts'

test('metadata.xml has a maintainer and a long description, escaped', () => {
  expect(
    renderMetadataXml({
      maintainer: { email: 'ops@acme.example', name: 'A & B' },
      longdescription: '<b> "it\'s"',
    }),
  ).toBe(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE pkgmetadata SYSTEM "https://www.gentoo.org/dtd/metadata.dtd">
<pkgmetadata>
\t<maintainer type="project">
\t\t<email>ops@acme.example</email>
\t\t<name>A &amp; B</name>
\t</maintainer>
\t<longdescription lang="en">&lt;b&gt; &quot;it&apos;s&quot;</longdescription>
</pkgmetadata>
`)
})

test('metadata.xml may say nothing', () => {
  expect(renderMetadataXml({})).toMatch(/<pkgmetadata>\n<\/pkgmetadata>\n$/)
  expect(renderMetadataXml({ maintainer: { email: '\n' }, longdescription: '\u200b' })).toBe(
    renderMetadataXml({}),
  )
})

test('no hostile text can add an element', () => {
  const plain = renderMetadataXml({ maintainer: { email: 'x', name: 'x' }, longdescription: 'x' }).match(
    /<[^>]*>/g,
  )
  for (const text of injectionCorpus('/x')) {
    const xml = renderMetadataXml({
      maintainer: { email: `x${text}`, name: `x${text}` },
      longdescription: `x${text}`,
    })
    expect(xml.match(/<[^>]*>/g)).toEqual(plain)

    expect(xml).not.toMatch(/[\u0000-\u0008\u000b-\u001f\ufffe\uffff]|&(?!(?:amp|lt|gt|quot|apos);)/)
  }
})
