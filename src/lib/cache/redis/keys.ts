// pypicloud's keys, each below its one prefix (COMPAT §4.2).

/** A set: the names of all projects. */
export const namesKey = 'pypicloud:set'
/** A set: the file names of one project. */
export const filesKey = (project: string): string => `pypicloud:set:${project}`
/** A hash: one file. */
export const rowKey = (filename: string): string => `pypicloud:package:${filename}`
/** A hash: what pypicloud shows of a project in its list. */
export const summaryKey = (project: string): string => `pypicloud:summary:${project}`

// Ours are below another prefix, because pypicloud's rebuild drops everything below its own. The braces keep them on one
// node of a cluster.

/** A hash: token, owner, and since when (milliseconds since 1970). It expires. */
export const lockKey = (name: string): string => `ppc-toolkit:{pypicloud}:lock:${name}`
/** A hash: facts, and to which rows on which server they belong. */
export const stateKey = 'ppc-toolkit:{pypicloud}:state'
/** The field of a fact in it. */
export const factField = (key: string): string => `fact:${key}`
/** A set: file names of the rows that bear witness to the facts. */
export const witnessesKey = 'ppc-toolkit:{pypicloud}:witnesses'

/** The field, JSON text as the others, that makes a row a witness. */
export const witnessField = 'ppc_toolkit_witness'
