import {createHash} from 'node:crypto'

/** What a client knows of a file that it has sent or deleted. */
export interface KnownFile {
  readonly project: string
  readonly filename: string
  readonly sha256: string
  readonly bytes: Buffer
  /** `unsure`: a request about it got no answer, or one that promises nothing. */
  state: 'here' | 'gone' | 'unsure'
  /** Nobody said how an upload of it ended: a storage that was frozen may still take it in, also after a deletion. */
  mayArrive: boolean
  yanked: boolean | 'unsure'
  /** What was asked about it, when, and how that was answered: with a fault, what led to it. */
  readonly history: string[]
}

const began = performance.now()

/** To be called before the request. @returns what to tell the answer. */
export function remember({history}: KnownFile, request: string): (answer: string) => void {
  const at = () => `${((performance.now() - began) / 1000).toFixed(2)} s`
  const from = at()
  return answer => history.push(`${from} ${request} -> ${answer} at ${at()}`)
}

/** A fault of a file, and all that was done to it. */
export const faultOf = ({filename, history}: KnownFile, fault: string): string =>
  [`${filename}${fault}`, ...history].join('\n    ')

/** All that one client knows. Nobody else writes its projects. */
export class Truth {
  readonly files = new Map<string, KnownFile>()

  add(project: string, filename: string, bytes: Buffer): KnownFile {
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    const file: KnownFile = {
      project,
      filename,
      sha256,
      bytes,
      state: 'unsure',
      mayArrive: false,
      yanked: false,
      history: [],
    }
    this.files.set(filename, file)
    return file
  }

  of(project: string): KnownFile[] {
    return [...this.files.values()].filter(file => file.project === project)
  }

  here(): KnownFile[] {
    return [...this.files.values()].filter(({state}) => state === 'here')
  }
}

/** A file as the JSON page of a project tells of it. */
export interface PageFile {
  readonly filename: string
  readonly hashes: {readonly sha256?: string}
  readonly yanked?: boolean | string
}

/** In what a page contradicts what its client knows; nothing when it agrees. */
export function contradictions(
  known: readonly KnownFile[],
  page: readonly PageFile[],
  compared: {readonly yanks: boolean},
): string[] {
  const listed = new Map(page.map(file => [file.filename, file]))
  return known.flatMap(mine => {
    const {filename, state, sha256, yanked} = mine
    const file = listed.get(filename)
    if (!file) return state === 'here' ? [faultOf(mine, ' is missing')] : []
    if (state === 'gone') return [faultOf(mine, ' was deleted')]
    // an upload that was cut off may have left bytes of which nothing is said
    const expected = state === 'unsure' ? [sha256, undefined] : [sha256]
    const wrong = expected.includes(file.hashes.sha256) ? [] : [faultOf(mine, ' has another digest')]
    const marked = file.yanked !== undefined && file.yanked !== false
    if (compared.yanks && yanked !== 'unsure' && marked !== yanked)
      wrong.push(faultOf(mine, `: yanked is ${String(marked)}`))
    return wrong
  })
}
