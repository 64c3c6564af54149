#!/usr/bin/env node
import {launch} from './launch.js'

await launch('ppc-create-s3-sync', 'create-s3-sync')
