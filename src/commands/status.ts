import {Args} from '@oclif/core'
import {projectStates, type ProjectState} from '../lib/index/project-facts.js'
import {normalizeName} from '../lib/packaging/names.js'
import {nameArgument} from '../lib/terminal/access-command.js'
import {configArgument, quietFlag, waitFlag} from '../lib/terminal/command.js'
import {ProjectCommand, reasonFlag} from '../lib/terminal/project-command.js'

export default class Status extends ProjectCommand {
  static override audit = 'project.status'
  static override summary =
    'Show or set the status of a project: active, archived, quarantined or deprecated.'
  static override description =
    'Archived projects take no files. Quarantined ones take none and give none either, whoever asks. Deprecated ones only ' +
    'say so. Servers that run show it at once, and it survives every rebuild.'
  static override examples = [
    '<%= config.bin %> server.ini acme-lib',
    '<%= config.bin %> server.ini acme-lib archived --reason "acme-core has it now"',
    '<%= config.bin %> server.ini acme-lib active',
  ]
  static override args = {
    config: Args.string(configArgument),
    project: nameArgument('name of the project'),
    status: Args.string({ignoreStdin: true, options: [...projectStates], description: 'the new status'}),
  }
  static override flags = {...reasonFlag, ...quietFlag, ...waitFlag}

  async run(): Promise<{project: string; status: ProjectState; reason?: string}> {
    const {args, flags} = await this.parse(Status)
    this.quiet = flags.quiet
    const project = normalizeName(args.project)
    const state = projectStates.find(known => known === args.status)
    return this.withProjects(args.config, flags.wait, async projects => {
      if (state) await projects.setStatus(project, state, {reason: flags.reason})
      const {status} = await projects.of(project)
      const reason = status?.reason
      const now = status?.state ?? 'active'
      const text = `${project} is ${now}${reason === undefined ? '' : `: ${reason}`}`
      if (state) this.tell(text)
      else if (!this.jsonEnabled()) this.log(text)
      return {project, status: now, ...(reason !== undefined && {reason})}
    })
  }
}
