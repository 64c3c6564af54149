export {formatDump, type DumpFormat} from './dump-format.js'
export {parseDump, type ParseDumpOptions} from './dump-parse.js'

/** `version` of a dump: the pypicloud whose form it has. Nobody checks it when it is read. */
export const dumpVersion = '1.3.12'
