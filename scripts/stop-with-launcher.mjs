/**
 * Loaded into the hub before src/main.ts: when the launcher is killed outright (SIGKILL passes on nothing), the
 * channel between the two closes, and the hub stops as if it had been asked to.
 */
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
process.channel?.unref()
