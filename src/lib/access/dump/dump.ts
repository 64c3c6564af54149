export {formatDump, type DumpFormat} from './format.js'
export {parseDump, type ParseDumpOptions} from './parse.js'

/** `version` of a dump: the pypicloud whose form it has. Nobody checks it when it is read. */
export const dumpVersion = '1.3.12'
