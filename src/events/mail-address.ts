/** Where mails go: a webhook whose address is `mailto:<address>`. */

const PREFIX = 'mailto:'

export const NO_MAIL = 'this hub sends no e-mail: HUB_SMTP_URL and HUB_MAIL_FROM are not set'

export function isMailAddress(url: string): boolean {
  return url.startsWith(PREFIX)
}

/** `ops@acme.example` of `mailto:ops@acme.example`. */
export function addressOf(url: string): string {
  return url.slice(PREFIX.length)
}
