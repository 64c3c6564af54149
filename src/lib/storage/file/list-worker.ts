import {once} from 'node:events'
import {parentPort, workerData} from 'node:worker_threads'
import type {ListingOrder} from './list-thread.js'
import {listProjects} from './list.js'
import type {ListedObject, Oddity} from '../storage.js'

// The thread of `listInThread`: answers each message with a portion, until it was terminated.

const entriesPerPortion = 250

if (parentPort) {
  const {root, projects} = workerData as ListingOrder
  const port = parentPort
  let asked = 0
  port.on('message', () => (asked += 1))
  const send = async (portion: readonly (ListedObject | Oddity)[]) => {
    if (asked === 0) await once(port, 'message')
    asked -= 1
    port.postMessage(JSON.stringify(portion))
  }
  let portion: (ListedObject | Oddity)[] = []
  for (const entry of listProjects(root, projects)) {
    portion.push(entry)
    if (portion.length < entriesPerPortion) continue
    await send(portion)
    portion = []
  }
  if (portion.length > 0) await send(portion)
  await send([])
}
