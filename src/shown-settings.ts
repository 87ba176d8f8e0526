/** The settings as people may read them: secrets, and passwords in addresses, are masked. */
import type { Config } from './config.ts'
import { SETTINGS } from './settings.ts'
import type { SettingName } from './settings.ts'

export interface ShownSetting {
  readonly name: SettingName
  readonly variable: string
  readonly value: unknown
  readonly meaning: string
}

const MASK = '********'

export function shownSettings(config: Config): readonly ShownSetting[] {
  return (Object.keys(SETTINGS) as SettingName[]).map((name) => ({
    name,
    variable: SETTINGS[name].env,
    value: shownValue(config, name, 'secret' in SETTINGS[name]),
    meaning: SETTINGS[name].meaning,
  }))
}

function shownValue(config: Config, name: SettingName, isSecret: boolean): unknown {
  const value = config[name]
  if (isSecret) return value === null ? null : MASK
  // An address may carry a password.
  return typeof value === 'string' ? value.replace(/(:\/\/[^/@:]*):[^/]*@/, `$1:${MASK}@`) : value
}
