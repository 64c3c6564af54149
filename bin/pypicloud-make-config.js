#!/usr/bin/env node
require('./threads.js')

import('./launch.mjs').then(({launch}) => launch('pypicloud-make-config', 'make-config'))
