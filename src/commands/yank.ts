import {Args, Flags} from '@oclif/core'
import {normalizeName} from '../lib/packaging/names.js'
import {nameArgument} from '../lib/terminal/access-command.js'
import {configArgument, quietFlag, waitFlag} from '../lib/terminal/command.js'
import {ProjectCommand, reasonFlag} from '../lib/terminal/project-command.js'

export default class Yank extends ProjectCommand {
  static override audit = 'project.yank'
  static override summary = 'Take a release, or one file of it, out of what installers choose by themselves.'
  static override description =
    'It stays where it is: who asks for exactly that version gets it, with the reason as a warning. Files that are added to ' +
    'a yanked release later are yanked too. Servers that run show it at once, and it survives every rebuild.'
  static override examples = [
    '<%= config.bin %> server.ini acme-lib 1.2.0 --reason "loses data on upgrade"',
    '<%= config.bin %> server.ini acme-lib acme_lib-1.2.0-py3-none-any.whl',
    '<%= config.bin %> server.ini acme-lib 1.2.0 --undo',
  ]
  static override args = {
    config: Args.string(configArgument),
    project: nameArgument('name of the project'),
    target: nameArgument('version, or name of a file'),
  }
  static override flags = {
    ...reasonFlag,
    undo: Flags.boolean({summary: 'Take it back.', default: false, exclusive: ['reason']}),
    ...quietFlag,
    ...waitFlag,
  }

  protected override auditAction(flags: Readonly<Record<string, unknown>>): string {
    return flags['undo'] === true ? 'project.unyank' : Yank.audit
  }

  async run(): Promise<{project: string; yanked: boolean; files: string[]}> {
    const {args, flags} = await this.parse(Yank)
    this.quiet = flags.quiet
    const project = normalizeName(args.project)
    return this.withProjects(args.config, flags.wait, async projects => {
      const found = flags.undo
        ? await projects.unyank(project, args.target)
        : await projects.yank(project, args.target, {reason: flags.reason})
      const files = found.map(({filename}) => filename).sort()
      for (const file of files) this.tell(`${flags.undo ? 'not yanked any more' : 'yanked'}: ${file}`)
      return {project, yanked: !flags.undo, files}
    })
  }
}
