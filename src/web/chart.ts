/** Charts, drawn by the server. `/components` shows one. */
import { html } from './html.ts'
import type { Html } from './html.ts'

export interface Bar {
  /** What stands below it, if there is room: `45`. */
  readonly name: string
  /** null: a gap. */
  readonly value: number | null
  /** For itself: `build 45: 1.2 MiB`. */
  readonly title: string
}

/** So few would be as wide as they are high. */
const FEWEST_BARS = 12
const PLOT_HEIGHT = 60
const BAR_WIDTH = 8

/**
 * Bars in time, oldest to the left, with an axis for each direction. The numbers are told below, too, for those who do not
 * see the picture and those who want them exactly.
 * @param label says what is shown.
 * @param tick a value as the axis has it: `1.2 MiB`.
 */
export function chart(label: string, bars: readonly Bar[], tick: (value: number) => string): Html {
  const highest = Math.max(1, ...bars.map(({ value }) => value ?? 0))
  const drawn = bars.map(({ value, title }, at) => {
    if (value === null) return null
    const height = Math.max(1, (value / highest) * PLOT_HEIGHT)
    return html`<rect
      x="${at * BAR_WIDTH + 1}"
      y="${(PLOT_HEIGHT - height).toFixed(1)}"
      width="${BAR_WIDTH - 2}"
      height="${height.toFixed(1)}"
    >
      <title>${title}</title>
    </rect>`
  })
  const [first, last] = [bars[0], bars.at(-1)]
  const width = Math.max(FEWEST_BARS, bars.length) * BAR_WIDTH
  return html`<figure class="chart">
    <figcaption>${label}</figcaption>
    <div class="plot">
      <div class="ticks" aria-hidden="true">
        <span>${tick(highest)}</span><span>${tick(highest / 2)}</span><span>${tick(0)}</span>
      </div>
      <svg
        role="img"
        aria-label="${label}: ${bars.length} bars, the highest ${tick(highest)}"
        viewBox="0 0 ${width} ${PLOT_HEIGHT}"
        preserveAspectRatio="none"
      >
        <path class="grid" d="M0 0H${width}M0 ${PLOT_HEIGHT / 2}H${width}M0 ${PLOT_HEIGHT}H${width}" />
        ${drawn}
      </svg>
    </div>
    ${
      first &&
      last &&
      html`<p class="ends" aria-hidden="true"><span>${first.name}</span> <span>${last.name}</span></p>`
    }
    <details>
      <summary aria-label="${label}, in numbers">in numbers</summary>
      <ul>
        ${bars.map(({ title }) => html`<li>${title}</li>`)}
      </ul>
    </details>
  </figure>`
}
