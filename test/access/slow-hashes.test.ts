import {it} from 'node:test'
import {letsEveryUserIn, openStore} from './sql-support.js'

it('An access database of pypicloud 1.0.11 lets every user in and wrong passwords out', async () => {
  await using access = await (await openStore('v1.0.11/access.db')).open()
  await letsEveryUserIn(access, ['bob']) // a second for each attempt
})
