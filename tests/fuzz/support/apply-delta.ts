/** A delta applied instruction by instruction. Source: gitformat-pack(5), "Deltified representation". */

/** @throws if the delta does not fit the base or does not give what it announces. */
export function applyDelta(base: Buffer, delta: Buffer): Buffer {
  let at = 0
  const next = (): number => {
    const byte = delta[at++]
    if (byte === undefined) throw new Error('the delta ends early')
    return byte
  }
  const size = (): number => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = next()
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
  }
  const little = (flags: number, width: number): number => {
    let value = 0
    for (let index = 0; index < width; index++) if (flags & (1 << index)) value += next() * 256 ** index
    return value
  }
  if (size() !== base.length) throw new Error('the delta is for another base')
  const sizeBytes = size()
  const parts: Buffer[] = []
  while (at < delta.length) {
    const code = next()
    if (code >= 0x80) {
      const start = little(code & 0x0f, 4)
      const length = little((code >> 4) & 0x07, 3) || 0x10000
      if (start + length > base.length) throw new Error('the delta copies what is not there')
      parts.push(base.subarray(start, start + length))
    } else {
      if (code === 0 || at + code > delta.length) throw new Error('the delta inserts nothing, or too much')
      parts.push(delta.subarray(at, at + code))
      at += code
    }
  }
  const whole = Buffer.concat(parts)
  if (whole.length !== sizeBytes) throw new Error('the delta gives another size than it says')
  return whole
}
