import {readdir} from 'node:fs/promises'
import {join} from 'node:path'
import {ask, type Asked} from './request.js'

/** What all the changes have left, as far as administrators can see it. */
export const leftRequests: readonly Asked[] = [
  ...ask('ada GET /admin/acl.json.gz /admin/group /admin/pending_users /simple/ /api/package/', {
    about: 'in the end',
  }),
  ...ask('ada GET /admin/user/dave /admin/user/erin /admin/user/fresh /admin/user/gus /admin/user/rita', {
    about: 'in the end',
  }),
  ...ask('ada GET /api/package/?verbose=1', {about: 'in the end', volatile: ['last_modified']}),
]

/** The wheels, sdists and what is said of each that lie in the folder of an installation. */
export async function storedFiles(directory: string): Promise<string[]> {
  const packages = join(directory, 'packages')
  const entries = await readdir(packages, {recursive: true, withFileTypes: true})
  return entries
    .filter(entry => entry.isFile() && entry.parentPath !== packages)
    .map(({parentPath, name}) => join(parentPath, name).slice(packages.length + 1))
    .sort()
}
