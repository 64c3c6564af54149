import {buildWheel} from '../../../support/wheels.js'
import {ask, askWithParts, type Asked} from '../request.js'

const file = '/api/package/open-lib/open-lib-1.10.tar.gz'

/** Where some may overwrite and others delete, and files are streamed. */
export async function overwritingRequests(): Promise<readonly Asked[]> {
  const upload = async (line: string, summary: string) => {
    const {filename, bytes} = await buildWheel({name: 'open-lib', version: '5.0', summary})
    return askWithParts(line, summary, [
      {name: 'name', value: 'open-lib'},
      {name: 'version', value: '5.0'},
      {name: 'summary', value: summary},
      {name: 'content', value: bytes, filename},
    ])
  }
  const wheel = '/api/package/open-lib/open_lib-5.0-py3-none-any.whl'
  return [
    ...ask(
      `nobody,bob,ada GET ${file} /api/package/secret-lib/secret-lib-0.1.tar.gz /simple/open-lib/ /simple/nothere/`,
    ),
    ...ask(`ada HEAD ${file}`),
    ...(await upload('dave POST /simple/', 'first')),
    ...(await upload('dave POST /simple/', 'not by dave')),
    ...(await upload('bob POST /simple/', 'second')),
    ...(await upload('ada POST /simple/', 'third')),
    ...ask(`ada GET ${wheel} /simple/open-lib/`, {about: 'after overwriting'}),
    ...ask('ada GET /api/package/open-lib/', {about: 'after overwriting', volatile: ['last_modified']}),
    ...ask(`nobody,bob DELETE ${wheel}`),
    ...ask(`dave DELETE ${wheel} ${wheel}/`),
    ...ask(`ada GET ${wheel} /simple/open-lib/ /api/package/open-lib/`, {about: 'after a deletion'}),
  ]
}
