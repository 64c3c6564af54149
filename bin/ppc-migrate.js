#!/usr/bin/env node
require('./threads.js')

import('./launch.mjs').then(({launch}) => launch('ppc-migrate', 'migrate'))
