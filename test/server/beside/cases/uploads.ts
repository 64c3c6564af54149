import {buildSdist, buildWheel} from '../../../support/wheels.js'
import type {FormPart} from '../../upload-form.js'
import {ask, askWithParts, type Asked} from '../request.js'

const fields = (values: Readonly<Record<string, string>>): FormPart[] =>
  Object.entries(values).map(([name, value]) => ({name, value}))

/** Files stored, refused and deleted, with what pages and lists say of them. */
export async function uploadRequests(): Promise<readonly Asked[]> {
  const sdist = await buildSdist({name: 'fresh-lib', version: '1.0', requiresPython: '>=3.8'})
  const wheel = await buildWheel({name: 'fresh-lib', version: '1.1', summary: 'Fresh'})
  const other = await buildWheel({name: 'fresh-lib', version: '1.1', summary: 'Fresh, but other bytes'})
  const odd = await buildWheel({name: 'Odd.Name_x', version: '2.0+local.1'})
  const content = (file: {filename: string; bytes: Buffer}): FormPart => ({
    name: 'content',
    value: file.bytes,
    filename: file.filename,
  })
  const upload = (
    line: string,
    file: {filename: string; bytes: Buffer},
    values: Record<string, string> = {},
  ) => askWithParts(line, `${file.filename} ${JSON.stringify(values)}`, [...fields(values), content(file)])
  const look = (project: string, about: string) =>
    ask(`nobody,bob,ada GET /simple/${project}/ /pypi/${project}/json /api/package/${project}/`, {
      about,
      volatile: ['last_modified'],
    })

  return [
    ...upload('nobody,bob POST /simple/', sdist, {name: 'fresh-lib', version: '1.0'}),
    ...upload('ada POST /simple/', sdist, {
      ':action': 'file_upload',
      name: 'fresh-lib',
      version: '1.0',
      summary: 'A fresh <lib> & more',
      requires_python: '>=3.8,<4',
    }),
    ...look('fresh-lib', 'after an sdist'),
    ...ask('ada GET /api/package/fresh-lib/fresh_lib-1.0.tar.gz'),
    ...upload('ada POST /pypi', wheel),
    ...look('Fresh_Lib', 'after a wheel'),
    ...askWithParts('ada POST /simple', 'a wheel again, with other bytes', [
      ...fields({name: 'fresh-lib', version: '1.1'}),
      content(other),
    ]),
    ...upload('ada POST /', odd, {name: 'Odd.Name_x', version: '2.0+local.1', summary: ''}),
    ...look('odd-name-x', 'after its wheel'),
    ...ask('ada GET /simple/ /packages', {about: 'after uploads'}),
    ...upload('nobody,bob POST /api/package/adminonly/x', sdist),
    ...upload('bob POST /api/package/open-lib/ignored', await buildSdist({name: 'open-lib', version: '3.0'})),
    ...look('open-lib', 'after an upload of bob'),
    ...askWithParts('ada POST /simple/', 'without a file', fields({name: 'fresh-lib', version: '1.0'})),
    ...askWithParts('ada POST /simple/', 'with another action', [
      ...fields({':action': 'submit'}),
      content(sdist),
    ]),
    ...askWithParts('ada POST /simple/', 'with doc_upload', [
      ...fields({':action': 'doc_upload'}),
      content(sdist),
    ]),
    ...ask(
      `nobody,bob,ada DELETE /api/package/fresh-lib/nothere-1.0.tar.gz /api/package/nothere/nothere-1.0.tar.gz
      /api/package/fresh-lib/ /api/package/fresh-lib /simple/fresh-lib/`,
    ),
    ...ask('nobody,bob DELETE /api/package/fresh-lib/fresh_lib-1.0.tar.gz'),
    ...ask(
      'ada DELETE /api/package/Fresh_Lib/fresh_lib-1.1-py3-none-any.whl /api/package/fresh-lib/fresh_lib-1.0.tar.gz/',
    ),
    ...look('fresh-lib', 'after deletions'),
    ...ask('ada DELETE /api/package/fresh-lib/fresh_lib-1.0.tar.gz', {about: 'again'}),
    ...ask('ada GET /simple/ /api/package/', {about: 'after deletions'}),
    ...ask('ada GET /api/package/?verbose=1', {about: 'after deletions', volatile: ['last_modified']}),
  ]
}
