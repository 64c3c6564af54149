import {PpcError} from '../errors.js'
import type {ApiToken, TokenStore} from './api-tokens/api-token.js'

export type Permission = 'read' | 'write'
/** Whom a rule is for. Groups include `everyone` and `authenticated`. */
export type Principal = {readonly user: string} | {readonly group: string}

/** A user as stored: approved, or registered and waiting for approval (`pending`: can't log in). */
export interface Account {
  readonly username: string
  readonly admin: boolean
  readonly pending: boolean
  /** Absent where the directory gives none (LDAP, remote): then `verifyPassword` decides. */
  readonly passwordHash?: string
}
/** What is found under a name. */
export interface FoundAccount extends Account {
  /** Why nobody can log in with it, for a log. */
  readonly problem?: string
}

/** The explicit rules of one project. An entry without permissions still hides the project from the default groups. */
export interface Rules {
  readonly users: ReadonlyMap<string, ReadonlySet<Permission>>
  readonly groups: ReadonlyMap<string, ReadonlySet<Permission>>
}
/** One rule as stored; `project` is spelt as it was given, which may be un-normalised. */
export interface Grant {
  readonly project: string
  readonly principal: Principal
  readonly permissions: readonly Permission[]
  /** The pattern, `team-*`, by which a rule of a configuration file names the group. */
  readonly groupPattern?: string
}

/** What a dump is made of, in any order. */
export type AclEntry =
  | {readonly kind: 'registration'; readonly allowed: boolean}
  | {readonly kind: 'group'; readonly name: string}
  | {readonly kind: 'member'; readonly group: string; readonly username: string}
  | {
      readonly kind: 'user'
      readonly username: string
      readonly admin: boolean
      readonly passwordHash: string | null
    }
  | {readonly kind: 'pending'; readonly username: string; readonly passwordHash: string | null}
  | ({readonly kind: 'grant'} & Grant)
  | ({readonly kind: 'token'} & ApiToken)

/** A user or group of that name exists already. */
export class AlreadyExists extends PpcError {
  readonly code = 'PPC_ALREADY_EXISTS'
  override readonly statusCode = 400
}

/**
 * Who may do what, as stored. What follows from it (special groups, defaults, administrators) is decided once, above
 * the backends, in `policy.ts`. Names of projects are matched normalised, whatever spelling is stored.
 */
export interface Access extends AsyncDisposable {
  /** For messages, without credentials. */
  readonly name: string
  /** As `Cache.changeToken`, for everything that access decides by. */
  changeToken(): string | Promise<string>
  /** Pending ones too. A directory that compares names its own way may find one that is spelt otherwise: that name counts. */
  findAccount(username: string): Promise<FoundAccount | undefined>
  /** Real groups of the user, never the special ones. Empty for unknown users. */
  listGroupsOf(username: string): Promise<string[]>
  /** Only for directories that keep the hash to themselves. False for users that don't exist. */
  verifyPassword?(username: string, password: string): Promise<boolean>
  /** How long what `verifyPassword` has confirmed may be believed. Default, and at most: 60. */
  readonly verifiedForSeconds?: number
  /** `project` is normalised; every stored spelling of it counts. */
  getRules(project: string): Promise<Rules>
  /**
   * Normalised names of all projects that have an explicit rule of their own, even an empty one. Undefined where nobody can tell
   * (remote): then each project is looked at.
   */
  listRuledProjects(): Promise<ReadonlySet<string> | undefined>
  /**
   * Where rules may be for all projects whose names match, `acme-*`: these patterns, normalised. `getRules` counts
   * their rules beside the project's own, and grants have them in place of a name.
   */
  listRulePatterns?(): Promise<readonly string[]>
  listGrants(principal: Principal): Promise<Grant[]>
  /** Approved users, by name. */
  listUsers(): Promise<{username: string; admin: boolean}[]>
  /** Real groups, by name; never everyone or authenticated. */
  listGroups(): Promise<string[]>
  listMembers(group: string): Promise<string[]>
  allowsRegistration(): Promise<boolean>
  /**
   * Everything, for a dump, of one moment, in bounded memory and in this order: registration; each group, followed by
   * its members; users; grants to users, then grants to groups, each with all of a project together; pending users;
   * API tokens. Grants to users and groups that don't exist are left out: `listOrphans` has them.
   */
  exportEntries(): AsyncIterable<AclEntry>
  /** Rules of users and groups that don't exist: nobody has them, but they hide the project from the default groups. */
  listOrphans(): Promise<Grant[]>
  /** @throws when it can't be used now; the message fits `/health`. */
  check(): Promise<void>
  /** Absent on backends that can't write (config, LDAP, remote). */
  readonly writer?: AccessWriter
  /** API tokens, for backends that keep them. */
  readonly tokens?: TokenStore
  /** What the operator pastes to have what a dump holds, where the rules are a text of the operator's (config). */
  formatEntries?(entries: AsyncIterable<AclEntry>): Promise<string>
}

/** Changes to a backend that can write. Each is atomic and durable when its promise resolves. */
export interface AccessWriter {
  /** @throws {AlreadyExists}. Rules that predate the user are not inherited: orphaned rows of the name are removed. */
  addAccount(account: Required<Account>): Promise<void>
  /**
   * Adds the first administrator if this store has never had one, in one conditional write.
   * @returns false when it has, now or ever: then nothing was written.
   */
  claimFirstAdmin(username: string, passwordHash: string): Promise<boolean>
  /** Whether `claimFirstAdmin` would succeed. */
  needsAdmin(): Promise<boolean>
  /** Unknown users: nothing happens. */
  approve(username: string): Promise<void>
  /** With memberships and rules. Unknown users: nothing happens. */
  deleteUser(username: string): Promise<void>
  /** With `ifCurrent`, only while that is still the stored hash. @returns whether it was written. */
  setPasswordHash(username: string, passwordHash: string, ifCurrent?: string): Promise<boolean>
  setAdmin(username: string, admin: boolean): Promise<void>
  listPending(): Promise<string[]>
  /** @throws {AlreadyExists} */
  createGroup(group: string): Promise<void>
  /** With memberships and rules. */
  deleteGroup(group: string): Promise<void>
  /** Unknown user or group: nothing happens. */
  addMember(group: string, username: string): Promise<void>
  removeMember(group: string, username: string): Promise<void>
  grant(project: string, principal: Principal, permission: Permission): Promise<void>
  revoke(project: string, principal: Principal, permission: Permission): Promise<void>
  setRegistration(allowed: boolean): Promise<void>
  /**
   * Adds what a dump holds, in any order and in one transaction: nothing is changed when `entries` throws, nothing is
   * ever removed, existing passwords stay, the administrator flag of existing users becomes the dump's (as pypicloud's
   * import). Project names are stored as they are spelt. With `dryRun` it reports the same and rolls back. With `prune`
   * what is stored becomes equal to the dump, passwords too.
   * @throws {InvalidInput} when a user, a group or a rule is there twice
   */
  load(entries: AsyncIterable<AclEntry>, options?: LoadOptions): Promise<LoadReport>
}

export interface LoadOptions {
  readonly dryRun?: boolean
  /**
   * In the same transaction removes what the dump lacks, and takes over passwords and who is approved. A dump without a password for
   * a user keeps the one that is stored.
   */
  readonly prune?: boolean
  /** How many names each of the report's differences has at most. Default 0. */
  readonly maxNames?: number
}

/** What a load adds, changes or removes of one kind. A rule is changed when it gives more or less than before. */
export interface LoadDifference {
  readonly change: 'added' | 'changed' | 'removed'
  readonly kind:
    | 'user'
    | 'pending user'
    | 'administrator flag'
    | 'password'
    | 'group'
    | 'member'
    | 'rule'
    | 'token'
    | 'registration'
  readonly count: number
  /** The first ones, for people: `bob`, `bob of devs`, `acme-lib for group devs`. */
  readonly names: readonly string[]
}

/** What an import did. `adminsChanged` is sorted. */
export interface LoadReport {
  readonly usersAdded: number
  readonly usersKept: number
  readonly pendingAdded: number
  readonly adminsChanged: readonly string[]
  readonly groupsAdded: number
  readonly membersAdded: number
  /** Permissions that are new, and rules without any that are. */
  readonly grantsAdded: number
  readonly tokensAdded: number
  readonly registrationChanged: boolean
  /** Everything that was changed. Empty: what is stored holds all of the dump, and with `prune` nothing else. */
  readonly differences: readonly LoadDifference[]
  /** One sentence each: what was left out and why (reserved names, rules of unknown users …). */
  readonly notices: readonly string[]
}
