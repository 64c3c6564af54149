/** An answer that differs from pypicloud's on purpose. */
interface Difference {
  /** Beginnings of exchange ids. */
  readonly exchanges: readonly string[]
  /** What we answer instead, where the status differs. */
  readonly status?: number
  /** The row of DESIGN.md's table of differences, or the number in RULES.md. */
  readonly because: string
}

const rows = {
  ownProject: 'rights are checked on the file’s own project',
  checked: 'name, version, digests, archive of an upload are checked',
  sameAgain: 'the same bytes again: 200 and nothing changes (RULES 21)',
  hidden: 'a stored name is never redirected upstream for readers without rights',
  json: 'PEP 691 JSON when asked for',
  forms: 'admin=true, allow=false in forms are read as they are meant',
  versions: '/pypi/<p>/<version>/json and .metadata are answered',
  packages: '/packages/ prints links',
  latin1: 'a non-UTF-8 Basic header counts as no credentials',
  caller: 'a recorded 500 for a caller’s mistake becomes 4xx',
  names: 'a group called admin, users with a colon are refused (RULES 33)',
  deleted: 'rules of deleted users and groups are deleted with them',
  future: 'a signup token from the future is refused (RULES 34)',
  normalised: 'names of projects in rules are normalised',
  defect17: 'COMPAT §6.6, defect 17: the root form redirects to a page that exists upstream',
  rebuild: 'POST /admin/rebuild answers at once, with the address of its progress',
  frontPage: 'the web pages are other ones, which work without script',
  bothFamilies: '/login, /logout, /tokenRegister of 1.0.11 lead to a project page in 1.3',
  basicWins: 'Basic wins over the cookie',
  ended: 'sessions end with log-out, password change and account (RULES 13)',
  literal: 'XML-RPC: % and _ are literal',
  reserved: 'names in disallow_fallback are reserved names: answered as with fallback = none',
  spelling: 'links to upstream files hold the normalised name, and what the upstream says of Python versions',
  placeholder: 'a text that stood in for a summary is none',
} as const

const numbered = (session: string, numbers: string): string[] =>
  numbers.split(' ').map(number => `${session}/${number}`)

const table: readonly Difference[] = [
  {
    exchanges: ['read-none/098', 'read-none/099'],
    status: 404,
    because: rows.ownProject,
  },
  {exchanges: ['write/052'], status: 400, because: rows.ownProject},
  {
    exchanges: [
      ...['014', '015', '016', '019', '022', '025', '027', '028', '030', '031', '032', '034', '043'].map(
        number => `write/${number}`,
      ),
    ],
    status: 400,
    because: rows.checked,
  },
  {
    // what those uploads would have left
    exchanges: ['017', '018', '026', '029', '033', '035'].map(number => `write/${number}`),
    status: 404,
    because: rows.checked,
  },
  {exchanges: ['write/047', 'write/058', 'write/061'], because: rows.checked},
  {
    exchanges: [
      'write/004',
      'write/005',
      'write/040',
      'overwrite-delete-rules/002',
      'overwrite-delete-rules/004',
      ...['008', '021', '034', '047', '060', '073'].map(number => `errors-accept/${number}`),
    ],
    status: 200,
    because: rows.sameAgain,
  },
  {
    exchanges: [
      'fallback-redirect/011',
      'fallback-redirect-always/011',
      'fallback-redirect-always-disallow/011',
      'fallback-cache-always/011',
      'fallback-cache-always-update-ops/011',
      'fallback-cache-always-disallow/011',
    ],
    status: 404,
    because: rows.hidden,
  },
  {
    exchanges: numbered('fallback-redirect-always-disallow', '004 008 009'),
    status: 401,
    because: rows.reserved,
  },
  {
    exchanges: [
      ...numbered('fallback-redirect-always-disallow', '013 017 018 022 026 027 031 035 036 038'),
      ...numbered('fallback-cache-always-disallow', '031 035 036 038 042 043 044 047 049'),
    ],
    status: 404,
    because: rows.reserved,
  },
  {
    exchanges: [
      ...numbered('fallback-redirect-always-disallow', '028 034'),
      ...numbered('fallback-cache-always-disallow', '001 007 028 034 048'),
    ],
    status: 200,
    because: rows.reserved,
  },
  {
    exchanges: [
      ...numbered('fallback-cache', '015 024 033'),
      ...numbered('fallback-cache-everyone', '006 015 024 033'),
      ...numbered('fallback-cache-always', '015 024 033'),
      ...numbered('fallback-cache-always-disallow', '015 024 033'),
      ...numbered('fallback-cache-always-distlib', '001 004 006 007 008 009 010 013 015 016 017 018 020'),
    ],
    status: 200,
    because: rows.spelling,
  },
  {exchanges: ['fallback-cache-always-distlib/028'], status: 200, because: rows.placeholder},
  {exchanges: ['read-none/064', 'read-none/065', 'errors-accept/051'], status: 200, because: rows.json},
  {exchanges: ['admin-sql/031', 'admin-sql/032'], status: 200, because: rows.forms},
  {exchanges: ['admin-sql/075'], status: 400, because: rows.forms},
  {exchanges: ['read-none/075', 'read-none/105'], status: 200, because: rows.versions},
  {exchanges: ['read-none/003', 'read-none/022', 'read-none/041'], because: rows.packages},
  {exchanges: ['read-none/144'], because: rows.literal},
  {exchanges: ['read-none/122'], status: 200, because: rows.latin1},
  {
    exchanges: [
      'write/013',
      'write/021',
      'write/045',
      ...['010', '023', '036', '049', '062', '075'].map(number => `errors-accept/${number}`),
      'account/043',
      'account/044',
      'account/045',
      'account/047',
      'admin-sql/021',
      'admin-sql/036',
      'debug-and-templates/002',
      'admin-config/002',
      'admin-config/015',
      ...[
        '023',
        '024',
        '025',
        '029',
        '030',
        '031',
        '032',
        '034',
        '035',
        '036',
        '038',
        '039',
        '040',
        '043',
      ].map(number => `admin-config/${number}`),
      ...['044', '045', '046', '047', '049', '050', '052', '053', '054', '055', '057'].map(
        number => `admin-config/${number}`,
      ),
      ...['060', '061', '062', '064', '065', '066', '067', '068', '069', '072', '073', '074'].map(
        number => `admin-config/${number}`,
      ),
      ...['077', '078', '079', '082', '083'].map(number => `admin-config/${number}`),
    ],
    status: 400,
    because: rows.caller,
  },
  {exchanges: ['admin-sql/062'], status: 200, because: rows.caller},
  {exchanges: ['account/035', 'account/050', 'admin-sql/039'], status: 400, because: rows.names},
  {exchanges: ['account/037'], because: rows.names},
  {exchanges: ['admin-sql/067', 'admin-sql/071'], because: rows.deleted},
  {exchanges: ['admin-sql/080'], status: 200, because: `${rows.names}; ${rows.normalised}`},
  {exchanges: ['account/049'], status: 400, because: rows.future},
  {exchanges: ['admin-sql/084', 'admin-config/088'], status: 202, because: rows.rebuild},
  {exchanges: ['account/002'], status: 200, because: rows.bothFamilies},
  {exchanges: ['account/009'], status: 403, because: rows.basicWins},
  {exchanges: ['account/013'], status: 401, because: rows.ended},
  {
    exchanges: [
      ...numbered('fallback-redirect', '009 018 027 036'),
      ...numbered('fallback-redirect-always', '009 018 027 036'),
      ...numbered('fallback-cache-always-update-ops', '018 027 036'),
    ],
    status: 302,
    because: rows.defect17,
  },
  {
    exchanges: [
      'read-none/127',
      'read-none/128',
      'account/001',
      'account/011',
      'bootstrap/004',
      'debug-and-templates/006',
      'admin-config/003',
    ],
    status: 200,
    because: rows.frontPage,
  },
]

export const expectedDifference = (id: string): Difference | undefined =>
  table.find(({exchanges}) => exchanges.some(start => id.startsWith(start)))
