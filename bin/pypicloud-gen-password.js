#!/usr/bin/env node
import {launch} from './launch.js'

await launch('pypicloud-gen-password', 'gen-password')
