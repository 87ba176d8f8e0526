/** What the settings are, and where each comes from. */
import type { Command } from 'commander'
import type { Config, LoadedConfig } from '../config.ts'
import type { SETTINGS, SettingName } from '../settings.ts'
import { onOneLine } from './format.ts'
import { local } from './session.ts'

interface ShownSetting {
  readonly name: string
  readonly variable: string
  readonly value: unknown
  readonly source: string
  readonly meaning: string
}

const MASK = '********'

export function addConfig(program: Command): void {
  const config = program.command('config').description('the settings of the hub')
  const command = config
    .command('show')
    .description('print every setting with its value and where it comes from; secrets are masked')
  local(command, 'portage-hub config show', async ({ show }) => {
    const [{ SETTINGS }, { loadConfig }] = await Promise.all([
      import('../settings.ts'),
      import('../config.ts'),
    ])
    const settings = shownSettings(SETTINGS, loadConfig())
    show({ settings }, settings.map(settingText).join('\n'))
  })
}

function shownSettings(
  settings: typeof SETTINGS,
  { config, sources }: LoadedConfig,
): readonly ShownSetting[] {
  return (Object.keys(settings) as SettingName[]).map((name) => ({
    name,
    variable: settings[name].env,
    value: shownValue(config, name, 'secret' in settings[name]),
    source: sources[name],
    meaning: settings[name].meaning,
  }))
}

function shownValue(config: Config, name: SettingName, isSecret: boolean): unknown {
  const value = config[name]
  if (isSecret) return value === null ? null : MASK
  // An address may carry a password.
  return typeof value === 'string' ? value.replace(/(:\/\/[^/@:]*):[^/@]*@/, `$1:${MASK}@`) : value
}

function settingText({ name, variable, value, source, meaning }: ShownSetting): string {
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
