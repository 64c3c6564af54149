import assert from 'node:assert/strict'
import {stat} from 'node:fs/promises'
import {join} from 'node:path'
import {text} from 'node:stream/consumers'
import {it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {Conflict} from '../../src/lib/errors.js'
import {PackageIndex} from '../../src/lib/index/package-index.js'
import type {ObjectStore} from '../../src/lib/storage/storage.js'
import {buildSdist} from '../support/wheels.js'
import {tempDir} from '../support/temp.js'
import {openIndex, uploadOf} from './open-index.js'

/** As a service that does not know `If-None-Match`: it looks, and a moment later writes over whatever has come since. */
function withoutConditions(store: ObjectStore): ObjectStore {
  return new Proxy(store, {
    get(target, name) {
      if (name === 'decidesPuts') return () => Promise.resolve(false)
      if (name === 'put') {
        return async (...[key, body, options]: Parameters<ObjectStore['put']>) => {
          if (!options.replace && (await stat(join(target.name, key)).catch(() => undefined))) {
            return target.put(key, body, options) // says that it is there
          }
          await sleep(30)
          return target.put(key, body, {...options, replace: true})
        }
      }
      const value = target[name as keyof ObjectStore] as unknown
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

it('one of two servers publishes a file where the storage lets both write it', async () => {
  await using dir = await tempDir()
  await using one = await openIndex(dir.path)
  await using two = await openIndex(dir.path)
  const servers = [one, two].map(
    ({storage, cache, config}) => new PackageIndex({storage: withoutConditions(storage), cache, config}),
  )
  for (let round = 1; round <= 5; round += 1) {
    const version = `${round}.0`
    const builds = await Promise.all(
      servers.map((_, index) => buildSdist({name: 'acme', version, summary: `by server ${index}`})),
    )
    const uploads = await Promise.all(builds.map(build => uploadOf(dir.path, build)))
    const done = await Promise.allSettled(
      servers.map((server, index) => server.publish(uploads[index]!, {overwrite: false})),
    )
    const winner = done.findIndex(({status}) => status === 'fulfilled')
    const loser = done[1 - winner]
    assert.ok(loser?.status === 'rejected' && loser.reason instanceof Conflict, 'one is refused')
    const file = await one.index.findFile(builds[winner]!.filename)
    assert.equal(await text(await one.index.openFile(file!)), builds[winner]!.bytes.toString())
  }
})
