import {Args} from '@oclif/core'
import {getWriter} from '../../lib/tasks/access-writer.js'
import {AccessCommand} from '../../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'

export default class UserRegistration extends AccessCommand {
  static override audit = 'registration.set'
  static override summary = 'Let people register, or not; or say whether they may.'
  static override description = 'Who registers waits for approval: ppc user approve.'
  static override examples = ['<%= config.bin %> server.ini', '<%= config.bin %> server.ini on']
  static override args = {
    config: Args.string(configArgument),
    state: Args.string({ignoreStdin: true, options: ['on', 'off'], description: 'on or off'}),
  }
  static override flags = {...waitFlag}

  async run(): Promise<{registration: boolean}> {
    const {args, flags} = await this.parse(UserRegistration)
    return this.withAccess(args.config, flags.wait, async (access, config) => {
      if (args.state !== undefined) {
        const writer = getWriter(access, config, 'nobody can register there; each user is a line of it')
        await writer.setRegistration(args.state === 'on')
      }
      const registration = await access.allowsRegistration()
      this.log(registration ? 'on' : 'off')
      return {registration}
    })
  }
}
