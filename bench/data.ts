import {createHash} from 'node:crypto'
import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'

/** Writes a storage directory as pypicloud lays it out: `projects` × `versions` tiny files with their `.meta`. */
export async function fillStorage(
  directory: string,
  projects: number,
  versions: number,
  prefix = 'bench',
): Promise<void> {
  for (let p = 0; p < projects; p += 1) {
    const name = `${prefix}-${String(p).padStart(4, '0')}`
    for (let v = 0; v < versions; v += 1) {
      const folder = join(directory, name, `1.${v}`)
      const filename = `${name.replaceAll('-', '_')}-1.${v}-py3-none-any.whl`
      const bytes = Buffer.from(`${filename}\n`)
      const sha256 = createHash('sha256').update(bytes).digest('hex')
      const md5 = createHash('md5').update(bytes).digest('hex')
      await mkdir(folder, {recursive: true})
      await writeFile(join(folder, filename), bytes)
      await writeFile(
        join(folder, `${filename}.meta`),
        `{"requires_python": ">=3.8", "hash_sha256": "${sha256}", "hash_md5": "${md5}", "uploader": "bench", "summary": "a file"}`,
      )
    }
  }
}
