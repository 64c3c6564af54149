#!/usr/bin/env node
import {launch} from './launch.js'

await launch('ppc-build-lambda-bundle', 'build-lambda-bundle')
