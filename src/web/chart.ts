/** Charts, drawn by the server. `/components` shows each. */
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

export interface Share {
  readonly name: string
  readonly value: number
  /** Of its value, as it is read. */
  readonly shown: Html
}

/**
 * What a whole is made of, as one bar whose parts are named below it, largest first. Each of the first five has a
 * colour of its own; the others share one.
 */
export function shares(label: string, parts: readonly Share[]): Html {
  const sorted = parts.filter(({ value }) => value > 0).sort((a, b) => b.value - a.value)
  const whole = Math.max(
    1,
    sorted.reduce((sum, { value }) => sum + value, 0),
  )
  let before = 0
  const drawn = sorted.map(({ name, value }, at) => {
    const from = before
    before += (value / whole) * 1000
    return html`<rect
      class="part-${Math.min(at, 5)}"
      x="${from.toFixed(1)}"
      width="${(before - from).toFixed(1)}"
      height="20"
    >
      <title>${name}</title>
    </rect>`
  })
  return html`<figure class="shares">
    <svg role="img" aria-label="${label}" viewBox="0 0 1000 20" preserveAspectRatio="none">${drawn}</svg>
    <ul>
      ${sorted.map(
        ({ name, value, shown }, at) =>
          html`<li>
            <span class="key part-${Math.min(at, 5)}" aria-hidden="true"></span><bdi>${name}</bdi> ${shown}
            <span class="beside">${Math.round((value / whole) * 100)} %</span>
          </li>`,
      )}
    </ul>
  </figure>`
}
