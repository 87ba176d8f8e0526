/**
 * Hostile texts for every field that takes text from outside. A field must refuse each of them with a HubError, or carry
 * it so that nothing in it is ever run, ends a line or hides from a reader.
 */

/** The path of a file that would appear if one of the texts were run by a shell. */
export function injectionCorpus(canary: string): readonly string[] {
  const run = `touch ${canary}`
  return [
    // Ends of quotes, substitutions, separators.
    `'; ${run}; '`, `"; ${run}; "`, `\`${run}\``, `$(${run})`, `\${x:=$(${run})}`, `'$(${run})'`, `"$(${run})"`,
    `x; ${run}`, `x && ${run}`, `x || ${run}`, `x | ${run}`, `x & ${run}`, `x > ${canary}`, `<(${run})`, `$'\\''; ${run}; '`,
    `\\'; ${run}; \\'`, `'\\''; ${run}; '\\''`, `\\`, `\\\\`, `'`, `''`, `"`, '`', '$', '$$', '$(', '${', '$((1))', '!!', '#', '# x',
    '${IFS}', '$IFS', `\${PATH%%*}`, '{a,b}', `}; ${run}; {`, `) ; ${run}; (`, `}\n${run}\nsrc_install() {`,
    // New lines, keys and entries.
    `a\n${run}`, `a\r${run}`, `a\r\n${run}`, `a\n_md5_=00000000000000000000000000000000`, `a\nSRC_URI=http://evil.example/x`,
    'a\nEAPI=7', `a\u2028${run}`, `a\u2029${run}`, `a\u0085${run}`, `a\u000b${run}`, `a\u000c${run}`, '\n', '\r', '\t', '\ta\t',
    'DIST x 1 BLAKE2B 00 SHA512 00', 'x\nDIST y 1 BLAKE2B 00 SHA512 00', 'masters = gentoo', 'EAPI=7', 'inherit evil',
    // NUL, other controls, what nobody sees, what reads backwards.
    'a\0b', '\0', '\u0001', '\u0007', '\u001b[31mred', '\u007f', '\u009b31m', 'a\u202eb', '\u202d\u2066x\u2069', '\u200e', '\u200f', '\u061c',
    'a\u200bb', '\ufeffa', '\u2060', '\ud800', 'a\udc00', '\u{e0041}', '\ufffe',
    // Options, and words that a tool takes for something else.
    '-n', '-e', '-E', '-n x', '-rf', '--help', '--exec=sh', '-', '--', '@', ':', '.', '..', '...', '~', '~root', '*', '?', '[a]', '%s%n', '%', '=',
    // Paths.
    '/', '//', '/..', '../', '../../etc/passwd', '/opt/../etc/passwd', 'a/../../b', './a', 'a/./b', 'a//b', '/opt/a b', '/opt/-rf', '/-n',
    '/proc/self/mem', '/dev/sda', '/tmp/x', '/var/tmp/x', '/run/x', 'C:\\x', '\\\\host\\share', '/opt/*', '/opt/~', '/opt/$HOME', `/opt/$(${run})`,
    // Looks like, but is not: other scripts, full width, quotation marks.
    'аpp-асme', 'ａｐｐ', '‘x’', '“x”', '；', '／etc／passwd', '․․/x', 'K', 'e\u0301', '\u037e',
    // Atoms, keywords, licences, markup, addresses.
    '|| ( a/b )', 'foo? ( a/b )', 'a/b[c?]', '>=a/b-1::evil', '( )', ')', 'a/b )', '=a/b-1*', '-*', '**', '~*', '<script>alert(1)</script>', ']]>', '&x;',
    'http://a b', 'javascript:alert(1)', 'file:///etc/passwd', `https://evil.example/'; ${run}; '`, 'https://user:pass@host.example/', 'https://a.example/#x',
    // Modes, owners, numbers.
    '4755', '0999', '7777', '0640\n', 'root', 'root:root:root', '0:0', `root:$(${run})`, '1e9', '-1', '0x10', '999999999999h', '10m\n',
    // Long.
    'a'.repeat(300), `/${'a'.repeat(300)}`, 'x '.repeat(5000), "'".repeat(3000), '/a'.repeat(2000), '{'.repeat(5000),
  ] // prettier-ignore
}
