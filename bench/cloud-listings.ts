import {writeFile} from 'node:fs/promises'
import {startService} from '../test/services/index.js'
import {AzureContainers} from '../test/storage/open-azure.js'
import {gcsConfigText} from '../test/storage/open-gcs.js'
import {tempDir} from '../test/support/temp.js'
import type {BareListing} from './bare-listing.js'
import {startFarService} from './far-service.js'
import {median, number, type Row} from './report.js'
import {work, workBare} from './storages.js'
import type {WorkerResult} from './storage-worker.js'
import {iniWith} from './tools.js'

const objects = 5000 // azurite takes some 200 a second
const rounds = 3

/** A service whose listing tells the metadata, near to fill it and 20 ms away to list it. */
interface Cloud {
  readonly name: string
  /** Configs. */
  readonly near: string
  readonly far: string
  /** As the listing of names alone, and as the listing that tells the metadata, too. */
  readonly names: BareListing
  readonly whole: BareListing
}

async function measureCloud({name, near, far, names, whole}: Cloud, directory: string): Promise<Row> {
  const [filling, listing] = [`${directory}/${name}-near.ini`, `${directory}/${name}-far.ini`]
  await writeFile(filling, near)
  await writeFile(listing, far)
  await work('fill', filling, String(objects))
  const measure = async (way: Promise<WorkerResult>): Promise<number> => {
    const {count, seconds} = await way
    if (count !== objects) throw new Error(`${name}: ${count} files`)
    return seconds
  }
  const heads = await measure(workBare('bare', names)) // takes so long that once is enough
  const [pages, ours]: [number[], number[]] = [[], []]
  for (let round = 0; round < rounds; round += 1) {
    pages.push(await measure(workBare('bare-list', whole)))
    ours.push(await measure(work('list', listing)))
  }
  return {
    work: `listing of ${number(objects)} objects with metadata, ${name} at 20 ms a request`,
    measured: `${number(median(ours))} s`,
    floor: `bare list and 64 parallel HEAD ${number(heads)} s; its pages alone ${number(median(pages))} s`,
    ratio: number(median(ours) / heads),
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
    const page = (fields: string): BareListing => ({
      first: `${far.url}/storage/v1/b/packages/o?maxResults=1000&fields=${encodeURIComponent(`items(${fields}),nextPageToken`)}`,
      token: '"nextPageToken":\\s*"([^"]+)"',
      parameter: 'pageToken',
      key: '"name":\\s*"([^"]+/[^"]+)"', // of the object: that in its metadata has no slash
      object: `${far.url}/storage/v1/b/packages/o/*`,
    })
    const whole = page('name,size,updated,generation,metageneration,md5Hash,crc32c,metadata')
    const configs = {near: gcsConfigText(service.url), far: gcsConfigText(far.url)}
    rows.push(await measureCloud({name: 'GCS', ...configs, names: page('name'), whole}, temp.path))
  }
  await using service = await startService('azurite')
  await using azure = await AzureContainers.on(service)
  await using far = await startFarService(service.url)
  await azure.container('packages').create()
  const config = (url: string) =>
    iniWith(
      azure.settings('packages', {'storage.storage_account_url': url, 'db.url': 'sqlite:///%(here)s/a.db'}),
    )
  const page = (more: string): BareListing => ({
    first: `${far.url}/packages?restype=container&comp=list&maxresults=5000${more}&${azure.token('rl')}`,
    token: '<NextMarker>([^<]+)',
    parameter: 'marker',
    key: '<Name>([^<]+)',
    object: `${far.url}/packages/*?${azure.token('rl')}`,
  })
  const [names, whole] = [page(''), page('&include=metadata')]
  const configs = {near: config(service.url), far: config(far.url)}
  rows.push(await measureCloud({name: 'Azure', ...configs, names, whole}, temp.path))
  return rows
}
