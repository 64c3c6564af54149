import {InvalidInput} from '../../../errors.js'
import type {OneConnection} from '../../../sql/database.js'
import type {Dialect} from '../../../sql/dialect.js'
import {quote} from '../../names.js'
import type {Stage} from './stage.js'

/** @throws {InvalidInput} when a user, a group, a rule or a token is staged twice */
export async function refuseDuplicates(
  connection: OneConnection,
  {exact}: Dialect,
  {users, groups, grants, tokens}: Stage,
): Promise<void> {
  const findTwice = async (table: string, names: string[], more: string[] = []) => {
    const kept = [...names.map(name => `min(${name}) AS ${name}`), ...more].join(', ')
    const groupedBy = [...names.map(exact), ...more].join(', ')
    const query = `SELECT ${kept} FROM ${table} GROUP BY ${groupedBy} HAVING count(*) > 1 LIMIT 1`
    return (await connection.run(query))[0]
  }
  const user = await findTwice(users, ['username'], ['pending'])
  if (user) throw new InvalidInput(`the dump has the user ${quote(String(user['username']))} twice`)
  const group = await findTwice(groups, ['name'])
  if (group) throw new InvalidInput(`the dump has the group ${quote(String(group['name']))} twice`)
  const token = await findTwice(tokens, ['id'])
  if (token) throw new InvalidInput(`the dump has the API token ${quote(String(token['id']))} twice`)
  const grant = await findTwice(grants, ['package', 'name'], ['kind'])
  if (grant) {
    const {package: project, kind, name} = grant
    throw new InvalidInput(
      `the dump has the rule of project ${quote(String(project))} for ${String(kind)} ${quote(String(name))} twice`,
    )
  }
}
