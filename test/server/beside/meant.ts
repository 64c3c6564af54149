/** How this server answers otherwise than pypicloud on purpose. */
export interface Meant {
  /** Which requests, as `titleOf` names them. Every one that is sent must differ so. */
  readonly requests: RegExp
  /** The lines that tell of it. */
  readonly differs: RegExp
  readonly because: string
}

/** Wherever they happen to be. */
export const meantAnywhere: readonly Omit<Meant, 'requests'>[] = [
  {differs: /^status 500 is now 4\d\d$/, because: 'a mistake of the caller is none of the server'},
  {
    differs: /Missing argument '\w+'"(?: is now "Missing argument '\w+'")?$/,
    because: 'of several missing arguments pypicloud names whichever its hashing puts first',
  },
]

const atUpstream =
  /^location http:\/\/127\.0\.0\.1:9\/\S+ is now http:\/\/127\.0\.0\.1:9\/(?:simple|pypi)\/\S+$/
const asUnknownName = /^status 302 is now 40[14]$/
const file = '/api/package/open-lib/open-lib-1\\.10\\.tar\\.gz'

export const meant: readonly Meant[] = [
  // addresses
  {
    requests: /^\S+ GET \/(?:health|nothere)\/$|GET \/(?:simple\/)?nothere\/json$/,
    differs: atUpstream,
    because: 'a redirect leads to a page that an upstream index has',
  },
  {
    requests: /GET \/simple(?:\/open-lib\/\/|\/\/open-lib\/|\/open-lib%2F|%2Fopen-lib\/)$/,
    differs: /^status 200 is now 302$/,
    because: 'links are relative, and would lead elsewhere from an address with more slashes',
  },
  {
    requests: /GET \/simple\/(?:not%20here|%C3%BCber|%252e|open-lib;x=1|<b>)\//,
    differs: asUnknownName,
    because: 'names that no project can have are not asked for upstream',
  },
  {
    requests: /GET \/(?:simple\/|static\/)?(?:\.|%2e)/,
    differs: /^status (?:302|200) is now 400$/,
    because: 'dots are no names, and are for clients to resolve',
  },
  {
    requests: /GET \/simple\/open-lib%0[0a]\//,
    differs: /^status 302 is now 400$/,
    because: 'control characters are no part of a name',
  },
  {
    requests: /GET \/static\/?$/,
    differs: /^status 302 is now 404$/,
    because: 'no project is called static: it is not asked for upstream',
  },
  {
    requests: /GET (?:\/acct)?\/tokenRegister$|^nobody GET \/login$/,
    differs: /^status (?:302|404) is now 200$/,
    because: 'there are pages without script, also where pypicloud 1.0 had them',
  },
  {
    requests: /POST (?:\/acct\/tokenRegister|\/tokenRegister|\/login)$|PUT \/tokenRegister$/,
    differs: /^status 404 is now 400$/,
    because: 'what those pages send goes to where they are',
  },
  {
    requests: /^ada GET \/login$|GET \/logout$/,
    differs:
      /^location http:\/\/localhost:6543\/log(?:in|out)\/ is now http:\/\/localhost:6543\/$|^the cookie none is now ended$/,
    because: '/login and /logout of pypicloud 1.0 are kept',
  },
  {
    requests: /^ada (?:PUT|POST|DELETE|PATCH|OPTIONS) \/logout$/,
    differs: /^status 404 is now 302$/,
    because: '/logout of pypicloud 1.0 is kept',
  },
  {
    requests: /GET \/(?: accept| when.*)?$|GET \/$|^nobody GET \/acct\/login/,
    differs: /^\d+ links are now \d+$|^title Pypicloud is now /,
    because: 'the pages for people are other ones, which work without script',
  },
  {
    requests: /^\S+ GET \/packages\/(?: accept.*)?$/,
    differs: /^\S+ leads to \/api\/package\/\S+, not \/packages\/\{'url'/,
    because: '/packages/ has links where pypicloud prints dictionaries',
  },

  // who may do what
  {
    requests:
      /^nobody GET \/api\/package\/Open_Lib\/|^ada GET \/admin\/package\/(?:Open_Lib|not-normalised-name)$/,
    differs: /^status 401 is now 200$|^\.(?:user|group): 0 elements are now \d$/,
    because: 'names of projects are normalised wherever rights are looked up',
  },
  {
    requests: /^nobody POST \/simple\/$/,
    differs: /^status 400 is now 401$/,
    because: 'whoever may not upload is told before anything is read',
  },
  {
    requests: /GET \/(?:simple|pypi)\/fresh-lib\/\S* after deletions$/,
    differs: asUnknownName,
    because: 'names that were published here and deleted stay private',
  },

  // conditions and types
  {
    requests: new RegExp(`${file} range: bytes=99999999-$`),
    differs:
      /^last-modified .* is now undefined$|^content-type text\/plain is now text\/plain; charset=UTF-8$/,
    because: 'an error is described like every other one',
  },
  {
    requests: new RegExp(`${file} range: bytes=0-1,4-5$`),
    differs: /^status 206 is now 200$/,
    because: 'several ranges are ignored, as RFC 9110 §14.2 allows; pypicloud sends the first alone',
  },
  {
    requests: new RegExp(`${file} range: bytes=-$`),
    differs: /^status 500 is now 200$/,
    because: 'a range that is none is ignored (RFC 9110 §14.2)',
  },
  {
    requests: new RegExp(`${file} range: bytes=-0$`),
    differs: /^status 206 is now 416$/,
    because: 'the last 0 bytes are no part of a file (RFC 9110 §14.1.2)',
  },
  {
    requests: new RegExp(`${file} if-none-match: \\*$`),
    differs: /^status 200 is now 304$/,
    because: 'whatever the client has is current (RFC 9110 §13.1.2)',
  },
  {
    requests: /GET \/simple\/(?:open-lib\/)? accept: application\/vnd\.pypi\.simple\.v1\+json$/,
    differs: /^content-type text\/html; charset=UTF-8 is now application\/vnd\.pypi\.simple\.v1\+json$/,
    because: 'PEP 691 JSON when asked for',
  },
  {
    requests: /(?:nothere\/|nothere\/json|none\.whl|\/a\/b\/c) accept: nonsense$/,
    differs: /^content-type text\/html; charset=UTF-8 is now text\/plain; charset=UTF-8$/,
    because: 'an Accept header that can not be read counts as none',
  },

  // arguments
  {
    requests: /(?:\/acct\/\w+|\/admin) json \[(?:\["username", "bob"\])?\]$/,
    differs: /Missing argument '\w+'"/,
    because: 'a list is no object',
  },
  {
    requests: /^nobody POST \/acct\/login json \{"username": null/,
    differs: /^status 403 is now 400$/,
    because: 'an argument that is null is missing',
  },
  {
    requests:
      /\/admin\/user\/nobody\/admin json \{"admin": (?:"x"|null)\}$|\/admin\/register json \{"allow": null\}$/,
    differs: /^status 200 is now 400$/,
    because: 'what is neither true nor false changes nothing',
  },
  {
    requests: /\/admin\/user\/dave\/admin form admin=(?:true|false)?$/,
    differs: /^status 500 is now 200$/,
    because: 'admin=true and admin=false in forms are read as they are meant',
  },
  {
    requests: /^ada GET \/admin\/user\/dave in the end$/,
    differs: /^\.admin: true is now false$/,
    because: 'admin=false in a form took his right back',
  },
  {
    requests: /^ada POST \/pypi text\/xml .*<value><string>(?:a<|open<\/string><\/value><\/member>)/,
    differs: /^another XML-RPC answer$/,
    because: 'a text is no list of its letters, and no struct',
  },
  {
    requests: /^ada POST \/pypi text\/xml .*OPEN.*summary.*<string>and</,
    differs: /^another XML-RPC answer$/,
    because: '"and" joins name and summary too, as it says',
  },

  // users and groups
  {
    requests: /^ada GET \/admin\/acl\.json\.gz in the end$/,
    differs: /^\.users: \d+ elements are now \d+$/,
    because: 'users whose names are refused are not in the dump',
  },
  {
    requests: /^ada GET \/admin\/group\/authenticated$/,
    differs: /^\.packages\[\d\]/,
    because: 'lists are sorted, pypicloud’s are in any order',
  },
  {
    requests: /^ada DELETE \/admin\/user\/frank\/group\/devs$/,
    differs: /^status 500 is now 200$/,
    because: 'who is not in a group is not in it afterwards',
  },
  {
    requests: /^ada GET \/admin\/(?:group\/qa|package\/open-lib) after deletions$/,
    differs: /^\.(?:packages|user|group): \d elements are now \d$/,
    because: 'rules of users and groups are deleted with them',
  },
  {
    requests: /^ada PUT \/admin\/(?:group\/admin |user\/a:b |user\/%20sp%20 )/,
    differs: /^status 200 is now 400$/,
    because: 'names that nobody could log in with, and groups called admin, are refused',
  },
  {
    requests: /^ada GET \/admin\/user at the end$|^ada's session GET \/admin\/user$/,
    differs: /^: \d+ elements are now \d+$/,
    because: 'users of those names were not made',
  },

  // uploads and copies
  {
    requests: /^(?!nobody)\S+ GET \/simple\/Up_Only\/$/,
    differs: /^status 404 is now 200$/,
    because: 'an upstream is asked for the normalised name',
  },
  {
    requests:
      /POST \/pypi fresh_lib-1\.1\S* \{\}$|^(?:bob|ada) GET \/api\/package\/Fresh_Lib\/ after a wheel$/,
    differs: /summary: null is now "Fresh"$/,
    because: 'what the form leaves out is read from the wheel',
  },
]
