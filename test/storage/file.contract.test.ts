import {mkdtemp, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import {after} from 'node:test'
import {openDirectory} from '../../src/lib/storage/file/file.js'
import {describeObjectStore} from '../contracts/object-store.js'

const directory = await mkdtemp(join(tmpdir(), 'ppc-file-store-'))
after(() => rm(directory, {recursive: true}))
describeObjectStore('a directory', () => openDirectory(directory))
