/** What the settings are, and where each comes from. */
import type { Command } from 'commander'
import type { ShownSetting } from '../shown-settings.ts'
import { onOneLine } from './format.ts'
import { local } from './session.ts'

/** Where each comes from too. */
type SettingFrom = ShownSetting & { readonly source: string }

export function addConfig(program: Command): void {
  const config = program.command('config').description('the settings of the hub')
  const command = config
    .command('show')
    .description('print every setting with its value and where it comes from; secrets are masked')
  local(command, 'portage-hub config show', async ({ show }) => {
    const [{ shownSettings }, { loadConfig }] = await Promise.all([
      import('../shown-settings.ts'),
      import('../config.ts'),
    ])
    const { config, sources } = loadConfig()
    const settings = shownSettings(config).map(({ name, variable, value, meaning }): SettingFrom => ({
      ...{ name, variable, value, source: sources[name], meaning },
    }))
    show({ settings }, settings.map(settingText).join('\n'))
  })
}

function settingText({ name, variable, value, source, meaning }: SettingFrom): string {
  return `${name} = ${valueText(value)}  (${onOneLine(source)})\n    ${variable}: ${meaning}`
}

function valueText(value: unknown): string {
  if (value === null) return '(not set)'
  if (!Array.isArray(value)) return onOneLine(typeof value === 'string' ? value : JSON.stringify(value))
  if (value.length === 0) return '(none)'
  return (value as readonly (string | { name: string; promote: string })[])
    .map((item) => (typeof item === 'string' ? item : `${item.name}:${item.promote}`))
    .join(' ')
}
