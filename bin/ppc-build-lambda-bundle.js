#!/usr/bin/env node
require('./threads.js')

import('./launch.mjs').then(({launch}) => launch('ppc-build-lambda-bundle', 'build-lambda-bundle'))
