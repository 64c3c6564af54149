#!/usr/bin/env node
// Every file is synced, and disks take many syncs at once far better than one by one: not 4 threads but 16. Their number
// counts when the first one starts, for which the loader of ES modules is enough: this file is none.
process.env.UV_THREADPOOL_SIZE ??= '16'

import('./launch.js').then(({launch}) => launch('ppc-migrate', 'migrate'))
