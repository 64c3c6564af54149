import {writeFile} from 'node:fs/promises'
import {startService} from '../test/services/index.js'
import {AzureContainers} from '../test/storage/open-azure.js'
import {gcsConfigText} from '../test/storage/open-gcs.js'
import {tempDir} from '../test/support/temp.js'
import {startFarService} from './far-service.js'
import {median, number, type Row} from './report.js'
import {work} from './storages.js'
import {iniWith} from './tools.js'

const objects = 5000 // azurite takes some 200 a second
const rounds = 3

/** A service whose listing tells the metadata, near to fill it and 20 ms away to list it. */
interface Cloud {
  readonly name: string
  /** Configs. */
  readonly near: string
  readonly far: string
  /** What `bare-pages` of the worker lists: address of the first page, then what a page calls the next, and how to ask for it. */
  readonly pages: readonly [url: string, token: string, parameter: string]
}

async function measureCloud({name, near, far, pages}: Cloud, directory: string): Promise<Row> {
  const [filling, listing] = [`${directory}/${name}-near.ini`, `${directory}/${name}-far.ini`]
  await writeFile(filling, near)
  await writeFile(listing, far)
  await work('fill', filling, String(objects))
  const ours: number[] = []
  const floor: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const bare = await work('bare-pages', ...pages)
    floor.push(bare.seconds)
    const found = await work('list', listing)
    if (found.count !== objects || bare.count < objects / 5000)
      throw new Error(`${name}: ${found.count} files`)
    ours.push(found.seconds)
  }
  return {
    work: `listing of ${number(objects)} objects with metadata, ${name} at 20 ms a request`,
    measured: `${number(median(ours))} s`,
    floor: `its pages, unread ${number(median(floor))} s`,
    ratio: number(median(ours) / median(floor)),
    target: '≤ 1.2',
  }
}

/** Google's and Azure's storages, as fake-gcs-server and azurite play them. */
export async function measureCloudListings(): Promise<Row[]> {
  await using temp = await tempDir()
  const rows: Row[] = []
  {
    await using service = await startService('fake-gcs-server')
    await using far = await startFarService(service.url)
    const fields = 'items(name,size,updated,generation,metageneration,md5Hash,crc32c,metadata),nextPageToken'
    const first = `${far.url}/storage/v1/b/packages/o?maxResults=1000&fields=${encodeURIComponent(fields)}`
    const configs = {near: gcsConfigText(service.url), far: gcsConfigText(far.url)}
    const pages = [first, '"nextPageToken":\\s*"([^"]+)"', 'pageToken'] as const
    rows.push(await measureCloud({name: 'GCS', ...configs, pages}, temp.path))
  }
  await using service = await startService('azurite')
  await using azure = await AzureContainers.on(service)
  await using far = await startFarService(service.url)
  await azure.container('packages').create()
  const config = (url: string) =>
    iniWith(
      azure.settings('packages', {'storage.storage_account_url': url, 'db.url': 'sqlite:///%(here)s/a.db'}),
    )
  const first = `${far.url}/packages?restype=container&comp=list&include=metadata&maxresults=5000&${azure.token('rl')}`
  const pages = [first, '<NextMarker>([^<]+)', 'marker'] as const
  rows.push(
    await measureCloud({name: 'Azure', near: config(service.url), far: config(far.url), pages}, temp.path),
  )
  return rows
}
