/** Sizes as people read them, on pages and in terminals. */

const UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** Bytes in binary units: `512 B`, `1.2 MiB`, `340 GiB`. */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${String(Math.round(bytes))} B`
  let value = bytes / 1024
  let unit = 0
  // 1023.96 would be shown as 1024.0.
  while (value >= 1023.95 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return `${value.toFixed(1)} ${UNITS[unit] ?? ''}`
}
