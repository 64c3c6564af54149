#!/usr/bin/env node
import {launch} from './launch.js'

await launch('ppc-gen-password', 'gen-password')
