/** The laws of the contracts as suites of node:test, for the authors of own backends: `ppc-toolkit/contracts`. */
export * from './access.js'
export * from './cache.js'
export * from './object-store.js'
export * from './token-store.js'
