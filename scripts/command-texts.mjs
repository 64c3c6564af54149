// What oclif knows of the commands, written down at build time: its manifest, help texts and shell completion.
import {Config, Help, Plugin, settings} from '@oclif/core'
import {mkdirSync, readFileSync, rmSync, writeFileSync} from 'node:fs'
import {dirname, join} from 'node:path'
import {bundleOfCommand} from './command-bundles.mjs'
import {completionScripts} from './completion.mjs'

const commandsFolder = ['dist', 'src', 'commands']

export async function writeCommandTexts(root) {
  settings.enableAutoTranspile = false
  const pjson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const plugin = new Plugin({root, pjson, isRoot: true, ignoreManifest: true, errorOnManifestCreate: true})
  await plugin.load()
  for (const command of Object.values(plugin.manifest.commands)) {
    const path = command.relativePath.slice(commandsFolder.length).join('/')
    command.relativePath = ['dist', 'bundle', `${bundleOfCommand(path)}.js`]
  }
  writeFileSync(join(root, 'oclif.manifest.json'), `${JSON.stringify(plugin.manifest, undefined, 2)}\n`)

  rmSync(join(root, 'dist/help'), {recursive: true, force: true})
  const write = (path, text) => {
    mkdirSync(dirname(join(root, 'dist', path)), {recursive: true})
    writeFileSync(join(root, 'dist', path), text)
  }
  const whole = await Config.load({root, pjson})
  write('help/ppc.txt', await textOf(whole, help => help.showRootHelp()))
  for (const topic of whole.topics.filter(({name}) =>
    whole.commandIDs.some(id => id.startsWith(`${name}:`)),
  )) {
    write(`help/ppc/${topic.name}.txt`, await textOf(whole, help => help.showTopicHelp({...topic})))
  }
  for (const id of whole.commandIDs) {
    const path = id.replaceAll(':', '/')
    write(`help/ppc/${path}.txt`, await commandHelp(root, pjson, id, `ppc ${id.replaceAll(':', ' ')}`))
  }
  for (const [bin, file] of Object.entries(pjson.bin).filter(([bin]) => bin !== 'ppc')) {
    const id = readFileSync(join(root, file), 'utf8').match(/launch\('[^']+', '([^']+)'\)/)[1]
    write(`help/${bin}.txt`, await commandHelp(root, pjson, id, bin))
  }
  for (const [shell, script] of Object.entries(completionScripts(whole, pjson))) {
    write(`completion/${shell}`, script)
  }
}

/** With `bin` as the whole program: examples and usage name it, and the command's own name is gone. */
async function commandHelp(root, pjson, id, bin) {
  const config = await Config.load({root, pjson: {...pjson, oclif: {...pjson.oclif, bin}}})
  const command = {...config.findCommand(id), id: ''}
  return textOf(config, help => help.showCommandHelp(command))
}

async function textOf(config, show) {
  const lines = []
  class BufferedHelp extends Help {
    log(...text) {
      lines.push(text.join(' '))
    }
  }
  await show(new BufferedHelp(config, {stripAnsi: true, hideCommandSummaryInDescription: true}))
  return `${lines
    .join('\n')
    .replace(/^VERSION\n.*\n\n/m, '') // names the Node of whoever built it
    .replaceAll(/(\$ \S.*?) {2,}/g, '$1 ') // the place of the command's name, which is part of the bin
    .replaceAll(/[ \t]+$/gm, '')
    .replaceAll(/\n{3,}/g, '\n\n')
    .trim()}\n`
}
