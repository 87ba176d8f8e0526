/** All commands in one program: its help, its options and how it speaks of wrong usage. */
import { Command } from 'commander'
import { HUB_VERSION } from '../version.ts'
import { addApps } from './apps.ts'
import { addAudit } from './audit.ts'
import { addBuild } from './build.ts'
import { addBuilds } from './builds.ts'
import { addCheck, addChecks } from './check.ts'
import { addConfig } from './config.ts'
import { addDemo } from './demo.ts'
import { addDiff } from './diff.ts'
import { addDoctor } from './doctor.ts'
import { addEnvironments } from './environments.ts'
import { addEvents } from './events.ts'
import { exitStatusLines } from './exit-status.ts'
import { addHold } from './hold.ts'
import { addKey } from './key.ts'
import { addPin, addUnpin, addUnyank, addYank } from './mark.ts'
import { addNodes } from './nodes.ts'
import { addOverlay } from './overlay.ts'
import { addPeople } from './people.ts'
import { addPolicy } from './policy.ts'
import { addPromote } from './promote.ts'
import { addApprove, addCancel, addPromotions, addReject } from './promotions.ts'
import { addPush } from './push.ts'
import { addRebuild } from './rebuild.ts'
import { addSearch } from './search.ts'
import { addServe } from './serve.ts'
import { addRollback } from './rollback.ts'
import { addToken } from './token.ts'
import { addTrust } from './trust.ts'
import { addVerify } from './verify.ts'
import { addWebhook } from './webhook.ts'
import { addWhoami } from './whoami.ts'
import { addWhy } from './why.ts'
import { addWithdraw } from './withdraw.ts'

const ENDING = `
Environment:
  HUB_URL    the hub that commands speak to (default: http://127.0.0.1:8080)
  HUB_TOKEN  the token they show it; or keep it in a file, for --token-file
  HUB_OIDC_TOKEN  without one: the identity of a CI's job, which "push" and "check" exchange
  Commands "on this host" read the hub's own settings: see "config show".

Exit statuses:
${exitStatusLines().join('\n')}

Examples:
  portage-hub push shop build/shop.tar.gz --build 45 --version 6.1.0-rc.2
  portage-hub promote shop 45 production
  portage-hub withdraw production shop 45 --reason 'loses orders, see #812'
`

/** The groups of the help, each with its commands in the order in which somebody meets them. */
const GROUPS: Readonly<Record<string, readonly ((program: Command) => void)[]>> = {
  'Builds:': [
    ...[addPush, addSearch, addApps, addBuilds, addBuild, addDiff, addCheck, addChecks],
    ...[addYank, addUnyank, addPin, addUnpin],
  ],
  'Environments:': [
    ...[addEnvironments, addPromote, addWhy, addPromotions, addApprove, addReject, addCancel],
    ...[addWithdraw, addHold, addPolicy, addOverlay],
  ],
  'Nodes:': [addNodes, addRollback],
  'Access:': [addToken, addPeople, addTrust, addWhoami, addKey, addAudit, addEvents, addWebhook],
  'On this host:': [addServe, addDemo, addConfig, addVerify, addRebuild, addDoctor],
}

/** The overview names commands and what is below them; how one is called, its own help says. */
function termOf(command: Command): string {
  const below = command.commands.map((sub) => sub.name())
  // Of many the first ones: a wide column leaves the texts beside it no room to be broken.
  const shown = below.length > MOST_SHOWN + 1 ? [...below.slice(0, MOST_SHOWN), '…'] : below
  return [command.name(), shown.join('|')].join(' ').trimEnd()
}

const MOST_SHOWN = 4

/** Wrong usage and help end with commander's `CommanderError`, for the door to turn into an exit status. */
export function createProgram(): Command {
  const program = new Command('portage-hub')
    .description("Turns a CI's numbered tarballs into Gentoo packages.")
    .version(HUB_VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    // Options stand after their command: "push --version" is another than "--version".
    .enablePositionalOptions()
    .showHelpAfterError('Add --help to see how it is used.')
    .configureHelp({ subcommandTerm: termOf })
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'portage-hub: ')) })
    .addHelpText('after', ENDING)
    .exitOverride()
  for (const [title, commands] of Object.entries(GROUPS)) {
    program.commandsGroup(title)
    for (const add of commands) add(program)
  }
  return program
}
