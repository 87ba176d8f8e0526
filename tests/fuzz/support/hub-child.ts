/** The hub as it runs for others, in a process that a fault of it can end: tells its address and waits to be ended. */
import { loadConfig } from '../../../src/config.ts'
import { startHub } from '../../../src/serve.ts'

const { hub } = await startHub(loadConfig().config)
process.send?.(`http://${hub.config.host}:${String(hub.config.port)}`)
