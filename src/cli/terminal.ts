/** Where a command writes: results to standard output, everything else to standard error. */

export interface Terminal {
  /** Writes a result, with a line feed at its end if it has none. */
  out(text: string): void
  /** Writes a message beside the result. */
  note(text: string): void
  /** Whether somebody watches standard error, so that a line may be drawn over. */
  readonly isWatched: boolean
  /** Characters of a line on standard output; Infinity when it is no terminal. */
  readonly columns: number
  /** What must not be overlooked: in red, where standard output shows colours. */
  readonly urgent: (text: string) => string
  /** Draws `text` over the last drawn line of standard error; empty takes it away. */
  draw(text: string): void
}

export function processTerminal(): Terminal {
  const { stdout, stderr } = process
  const leaveQuietly = (error: NodeJS.ErrnoException): void => {
    // `portage-hub builds | head` closes our output early, which is no error.
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  }
  stdout.on('error', leaveQuietly)
  stderr.on('error', leaveQuietly)
  const isTty = stdout.isTTY as boolean | undefined
  return {
    out: (text) => void stdout.write(ended(text)),
    note: (text) => void stderr.write(ended(text)),
    isWatched: (stderr.isTTY as boolean | undefined) === true,
    columns: isTty === true ? stdout.columns : Infinity,
    // Asks NO_COLOR, FORCE_COLOR and TERM too.
    urgent: (text) => (isTty === true && stdout.hasColors() ? `\x1b[1;31m${text}\x1b[0m` : text),
    draw: (text) => void stderr.write(`\r\x1b[K${text}`),
  }
}

function ended(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`
}
