#!/usr/bin/env node
import {launch} from './launch.js'

await launch('ppc-serve', 'serve')
