import type {
  AccessWriter,
  Account,
  AclEntry,
  LoadOptions,
  LoadReport,
  Permission,
  Principal,
} from '../access.js'
import {byCodePoint} from '../../by-code-point.js'
import {checkGroupName, checkUsername} from '../names.js'
import * as changes from './changes.js'
import type {Committer} from './committer.js'
import {parseBlob, type CurrentRules} from './current.js'
import {checkSize} from './failures.js'
import {collect, merge} from './load.js'
import type {Secret} from './secret.js'

export class SecretsManagerWriter implements AccessWriter {
  constructor(
    private readonly secret: Secret,
    private readonly current: CurrentRules,
    private readonly committer: Committer,
  ) {}

  async addAccount(account: Required<Account>): Promise<void> {
    checkUsername(account.username)
    await this.committer.commit(blob => changes.addAccount(blob, account))
  }

  async claimFirstAdmin(username: string, passwordHash: string): Promise<boolean> {
    checkUsername(username)
    return this.committer.commit(blob => {
      if (blob.hadAdmin) return false
      changes.addAccount(blob, {username, passwordHash, admin: true, pending: false})
      return true
    })
  }

  async needsAdmin(): Promise<boolean> {
    return !(await this.current.get()).blob.hadAdmin
  }

  approve(username: string): Promise<void> {
    return this.committer.commit(blob => changes.approve(blob, username))
  }

  deleteUser(username: string): Promise<void> {
    return this.committer.commit(blob => changes.deleteUser(blob, username))
  }

  setPasswordHash(username: string, passwordHash: string, ifCurrent?: string): Promise<boolean> {
    return this.committer.commit(blob => changes.setPasswordHash(blob, username, passwordHash, ifCurrent))
  }

  setAdmin(username: string, admin: boolean): Promise<void> {
    return this.committer.commit(blob => changes.setAdmin(blob, username, admin))
  }

  async listPending(): Promise<string[]> {
    const {blob} = await this.current.get()
    return [...blob.pending.keys()].filter(username => !blob.users.has(username)).sort(byCodePoint)
  }

  async createGroup(group: string): Promise<void> {
    checkGroupName(group)
    await this.committer.commit(blob => changes.createGroup(blob, group))
  }

  deleteGroup(group: string): Promise<void> {
    return this.committer.commit(blob => changes.deleteGroup(blob, group))
  }

  addMember(group: string, username: string): Promise<void> {
    return this.committer.commit(blob => changes.addMember(blob, group, username))
  }

  removeMember(group: string, username: string): Promise<void> {
    return this.committer.commit(blob => changes.removeMember(blob, group, username))
  }

  grant(project: string, principal: Principal, permission: Permission): Promise<void> {
    return this.committer.commit(blob => changes.grant(blob, project, principal, permission))
  }

  revoke(project: string, principal: Principal, permission: Permission): Promise<void> {
    return this.committer.commit(blob => changes.revoke(blob, project, principal, permission))
  }

  setRegistration(allowed: boolean): Promise<void> {
    return this.committer.commit(blob => {
      blob.allowsRegistration = allowed
    })
  }

  async load(entries: AsyncIterable<AclEntry>, options: LoadOptions = {}): Promise<LoadReport> {
    const dump = await collect(entries)
    if (!options.dryRun) return this.committer.commit(blob => merge(blob, dump, options))
    const blob = parseBlob(await this.secret.read(), this.secret)
    const report = merge(blob, dump, options)
    checkSize(blob.format(), this.secret.origin)
    return report
  }
}
