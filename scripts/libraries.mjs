// Which packages went into a bundle, and the terms that go with them.
import {readdirSync, readFileSync} from 'node:fs'
import {join} from 'node:path'

/**
 * Every package that has a part in a bundle, by name.
 * @param {{inputs: Record<string, unknown>}} metafile
 * @returns {{name: string, version: string, folder: string, license?: string}[]}
 */
export function librariesOf({inputs}, root) {
  const folders = Object.keys(inputs).flatMap(
    path => path.match(/^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0] ?? [],
  )
  return [...new Set(folders)]
    .map(folder => {
      const {name, version, license} = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
      return {name, version, license, folder}
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** Their names, versions and licence texts; equal texts once, below all to which they apply. */
export function licencesOf(libraries, root) {
  const groups = new Map()
  for (const {name, version, license, folder} of libraries) {
    const file = readdirSync(join(root, folder)).find(entry => /^licen[cs]e/i.test(entry))
    const text =
      file === undefined ? `${license}\n` : readFileSync(join(root, folder, file), 'utf8').trimEnd()
    groups.set(text, [...(groups.get(text) ?? []), `${name} ${version} (${license})`])
  }
  return [...groups]
    .map(([text, names]) => `${names.join('\n')}\n\n${text.trim()}\n`)
    .join(`\n${'-'.repeat(80)}\n\n`)
}
