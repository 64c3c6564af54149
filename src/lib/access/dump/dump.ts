export {formatDump, type DumpFormat} from './format.js'
export {parseDump, type ParseDumpOptions} from './parse.js'

/** `version` of a dump: the pypicloud whose form it has. */
export const dumpVersion = '1.3.12'

/** Ours, in a dump that has API tokens. pypicloud's import knows nothing of it and reads over it. */
export const tokensMember = 'ppc_tokens'
