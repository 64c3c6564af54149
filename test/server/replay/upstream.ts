import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {fixtures} from '../../support/paths.js'
import {fakeUpstream, type FakeUpstream} from '../../support/upstream.js'
import {readSession, type Exchange} from './exchange.js'

/** Where the upstream was when the sessions were recorded. */
const recordedAddress = 'http://127.0.0.1:8399'

/** The upstream that pypicloud had while it was recorded: it says what that one said. */
export async function recordedUpstream(): Promise<FakeUpstream> {
  const upstream = await fakeUpstream()
  for (const {request, response} of readSession('fallback-upstream')) {
    const filename = request.path.slice(request.path.lastIndexOf('/') + 1)
    const body =
      response.body_sha256 === undefined
        ? at(upstream, response.body ?? '')
        : readFileSync(join(fixtures, 'http/fallback-upstream/files', filename))
    const type = response.headers.find(([name]) => name === 'Content-Type')?.[1] ?? 'text/plain'
    upstream.answers.set(request.path, (_request, answer) =>
      answer.writeHead(response.status, {'content-type': type}).end(body),
    )
  }
  return upstream
}

/** A recorded text, with the address that the upstream has now. */
export const at = (upstream: FakeUpstream, text: string): string =>
  text.replaceAll(recordedAddress, upstream.url)
export const exchangeAt = (upstream: FakeUpstream, exchange: Exchange): Exchange => ({
  ...(JSON.parse(at(upstream, JSON.stringify(exchange))) as Exchange),
})
