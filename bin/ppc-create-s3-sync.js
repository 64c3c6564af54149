#!/usr/bin/env node
require('./threads.js')

import('./launch.mjs').then(({launch}) => launch('ppc-create-s3-sync', 'create-s3-sync'))
