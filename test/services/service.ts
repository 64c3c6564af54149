/** A real server that belongs to the tests: on loopback, on a port of its own, with its data in a temporary directory. */
export interface Service extends AsyncDisposable {
  /** What a client connects to: `http://127.0.0.1:PORT`, `redis://…`, `postgres://…`; without a trailing slash. */
  readonly url: string
  readonly port: number
  /** The server's process, for tests that pause or kill it. */
  readonly pid: number
  /** The end of what it has written to stdout and stderr. */
  log(): string
}
