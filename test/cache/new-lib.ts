import type {DistFile} from '../../src/lib/packaging/dist-file.js'

/** A file that pypicloud has not written, with what its row keeps as JSON. */
export const newLib = (data: DistFile['data']): DistFile => ({
  filename: 'new_lib-1.0-py3-none-any.whl',
  name: 'new-lib',
  version: '1.0',
  lastModified: new Date('2026-11-20T23:12:23.466Z'),
  summary: 'Zähler 🎉',
  data,
})
