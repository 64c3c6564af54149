/*
 * What `[server:main]`, `[uwsgi]`, `[filter:…]` and the logging sections say to `ppc-serve` (COMPAT §1.1, §6.12).
 * One server process has no use for most of their keys: what is left out gets a single notice.
 */
import type {IniFile} from './ini.js'
import {readLogging} from './logging-sections.js'
import type {PasteResolver, PasteSection} from './paste.js'
import {plainSettings, type Setting} from './paste-settings.js'
import {shown, type ConfigProblem} from './problems.js'

export interface ServerSettings {
  readonly host: string
  readonly port: number
  readonly workers: number
  /** Mount prefix and trust in forwarded headers, when a PasteDeploy prefix filter is configured. */
  readonly prefixFilter: PrefixFilter | undefined
  /** Mount path of a composite section, without trailing slash; empty at the root. */
  readonly mountPath: string
  /** Of the root logger, as pino names it. */
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'fatal'
  /** Absolute; undefined is stderr. */
  readonly logFile: string | undefined
}
/** Where nothing says anything. */
export const defaultServerSettings: ServerSettings = {
  host: '127.0.0.1',
  port: 6543,
  workers: 1,
  prefixFilter: undefined,
  mountPath: '',
  logLevel: 'info',
  logFile: undefined,
}
export interface PrefixFilter {
  /** Without a slash at the end; empty at the root. */
  readonly prefix: string
  readonly scheme: string | undefined
  /** Empty: the Host header loses its port. */
  readonly forcePort: string | undefined
  readonly translateForwardedServer: boolean
}

/** Collects what sections say and remembers what nobody asked for. */
export interface Findings {
  readonly problems: ConfigProblem[]
  readonly warnings: ConfigProblem[]
  /** Names of keys and sections for the notice. */
  readonly ignored: string[]
}

export async function readServerSettings(
  paste: PasteResolver,
  file: IniFile,
  name: string | undefined,
  app: PasteSection,
  found: Findings,
): Promise<ServerSettings> {
  const server = await paste.server(file, name)
  const uwsgi = file.sections.get('uwsgi')
  const address = server
    ? serverSection(server, found)
    : uwsgi
      ? uwsgiSection(plainSettings(file, 'uwsgi'), found)
      : {}
  if (server && uwsgi) found.ignored.push('[uwsgi], because [server:main] is there')
  return {
    host: address.host ?? defaultServerSettings.host,
    port: address.port ?? defaultServerSettings.port,
    workers: address.workers ?? defaultServerSettings.workers,
    prefixFilter: prefixFilter(app.filters, found),
    mountPath: app.mountPath,
    ...readLogging(file, found),
  }
}

interface Address {
  readonly host?: string
  readonly port?: number
  readonly workers?: number
}

/** waitress, gunicorn, and what else `use` of a server section names. */
function serverSection({settings, loader, name}: PasteSection, found: Findings): Address {
  const rest = new Map(settings)
  const take = (key: string): Setting | undefined => {
    const setting = rest.get(key)
    rest.delete(key)
    return setting
  }
  const gunicorn = loader?.value.includes('gunicorn') ?? false
  const listen = gunicorn ? take('bind') : take('listen')
  const host = take('host')?.value.trim()
  const port = number(take('port'), 1, 65535, found)
  const workers = number(take('workers'), 1, 1024, found) ?? 1
  for (const key of harmless) rest.delete(key)
  if (rest.size > 0) found.ignored.push(`[${name}] ${[...rest.keys()].join(' ')}`)
  const address = listen && endpoint(listen, found)
  if (address) return {...address, workers}
  // as waitress and gunicorn do without any
  return {
    host: host || (gunicorn ? '127.0.0.1' : '0.0.0.0'),
    port: port ?? (gunicorn ? 8000 : 8080),
    workers,
  }
}

/** What only tunes threads and buffers of Python servers. */
const harmless = [
  'threads',
  'backlog',
  'cleanup_interval',
  'connection_limit',
  'recv_bytes',
  'send_bytes',
  'outbuf_overflow',
  'outbuf_high_watermark',
  'inbuf_overflow',
  'max_request_header_size',
  'asyncore_loop_timeout',
  'asyncore_use_poll',
  'expose_tracebacks',
  'ident',
  'log_untrusted_proxy_headers',
  'worker_class',
  'preload_app',
  'proc_name',
  'max_requests',
  'max_requests_jitter',
]

function uwsgiSection(settings: Map<string, Setting>, found: Findings): Address {
  const http = settings.get('http-socket') ?? settings.get('http')
  const workers = settings.get('processes') ?? settings.get('workers')
  const ignored = [...settings.values()]
    .filter(setting => setting !== http && setting !== workers && !uwsgiHarmless.has(setting.key))
    .map(({key}) => key)
  if (ignored.length > 0) found.ignored.push(`[uwsgi] ${ignored.join(' ')}`)
  return {
    ...(http ? (endpoint(http, found) ?? {}) : {}),
    workers: number(workers, 1, 1024, found) ?? 1,
  }
}

/** How uWSGI finds the app and keeps its processes in health, which needs no settings here. */
const uwsgiHarmless = new Set([
  'paste',
  'paste-logger',
  'ini-paste',
  'ini-paste-logged',
  'master',
  'processes',
  'workers',
  'threads',
  'enable-threads',
  'reload-mercy',
  'worker-reload-mercy',
  'max-requests',
  'virtualenv',
  'venv',
  'home',
  'lazy-apps',
  'single-interpreter',
  'need-app',
  'vacuum',
  'die-on-term',
  'buffer-size',
  'post-buffering',
  'harakiri',
])

/** `host:port`, `:port`, `[::1]:port` or `port`; of several, the first that is not a socket file. */
function endpoint(setting: Setting, found: Findings): {host: string; port: number} | undefined {
  const all = setting.value.split(/[\s,]+/).filter(Boolean)
  const match = all
    .map(one => /^(?:(?:https?|tcp):\/\/)?(?:(\[[\da-f:.]+\]|[^:[\]/]*):)?(\d{1,5})$/i.exec(one))
    .find(one => one !== null)
  const port = Number(match?.[2])
  if (!match || port < 1 || port > 65535) {
    const message = `found ${shown(setting.value)}, expected host:port`
    found.warnings.push({
      file: setting.source,
      line: setting.line,
      key: setting.key,
      message: `${message}; ignored`,
    })
    return undefined
  }
  if (all.length > 1) found.ignored.push(`${setting.key} but for ${match[0]}`)
  const host = (match[1] ?? '').replace(/^\[|\]$/g, '')
  return {host: host === '' || host === '*' ? '0.0.0.0' : host, port}
}

function number(setting: Setting | undefined, min: number, max: number, found: Findings): number | undefined {
  if (!setting) return undefined
  const value = Number(setting.value)
  if (/^\d+$/.test(setting.value) && value >= min && value <= max) return value
  found.problems.push({
    file: setting.source,
    line: setting.line,
    key: setting.key,
    message: `found ${shown(setting.value)}, expected a whole number from ${min} to ${max}`,
  })
  return undefined
}

/** `egg:PasteDeploy#prefix` and its deprecated spelling `egg:Paste#prefix`; other filters are Python code. */
function prefixFilter(filters: readonly PasteSection[], found: Findings): PrefixFilter | undefined {
  const isPrefix = ({loader}: PasteSection) =>
    /^(?:egg:Paste(?:Deploy)?#prefix|(?:call:)?paste\.deploy\.config:make_prefix_middleware)$/i.test(
      loader?.value ?? '',
    )
  const [prefix, ...more] = filters.filter(isPrefix)
  for (const filter of [...filters.filter(one => !isPrefix(one)), ...more])
    found.ignored.push(`[${filter.name}]`)
  if (!prefix) return undefined
  const value = (key: string) => prefix.settings.get(key)?.value
  const path = (value('prefix') ?? '/').replace(/\/+$/, '')
  return {
    prefix: path === '' || path.startsWith('/') ? path : `/${path}`,
    scheme: value('scheme') || undefined,
    forcePort: value('force_port'),
    translateForwardedServer: /^(?:true|yes|on|y|t|1)$/i.test(value('translate_forwarded_server') ?? 'true'),
  }
}
