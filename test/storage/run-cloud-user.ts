import {readFile} from 'node:fs/promises'
import {get} from 'node:https'
import {text} from 'node:stream/consumers'
import {fileURLToPath} from 'node:url'
import {agentFor} from '../../src/lib/proxies.js'
import type {Certificate} from '../services/certificate.js'
import type {ForwardProxy} from '../services/forward-proxy.js'
import {runProgram} from '../support/run.js'
import type {Seen} from './cloud-user.js'

const script = fileURLToPath(new URL('cloud-user.js', import.meta.url))

/** A network in which the proxy is the only way to the services, and `certificate` that of all of them. */
export interface Network {
  readonly directory: string
  readonly certificate: Certificate
  readonly proxy: ForwardProxy
}

/** Uses the storage of the config `file` in a process with this environment. */
export async function runCloudUser(
  {directory, certificate, proxy}: Network,
  file: string,
  env: Readonly<Record<string, string>>,
): Promise<Seen> {
  const {stdout, stderr, code} = await runProgram(process.execPath, [script, file], {
    cwd: directory,
    env: {HTTPS_PROXY: proxy.url, NODE_EXTRA_CA_CERTS: certificate.caFile, ...env},
  })
  if (code !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as Seen
}

/** What a client gets who follows a link through the proxy. */
export async function fetchBy({certificate, proxy}: Network, link: string): Promise<string> {
  const agent = agentFor('https', proxy.url, {ca: await readFile(certificate.caFile)})
  try {
    return await new Promise((resolve, reject) => {
      get(link, {agent}, answer => resolve(text(answer))).on('error', reject)
    })
  } finally {
    agent.destroy()
  }
}
