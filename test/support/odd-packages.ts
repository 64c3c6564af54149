/** What a client told pypicloud of a file. */
export interface OddPackage {
  readonly filename: string
  readonly name: string
  readonly version: string
  readonly summary?: string
  readonly requires_python?: string
}

/** Uploads that pypicloud takes, each odd in its own way. Their bytes are their file names. */
export const oddPackages: readonly OddPackage[] = [
  {filename: 'Zope.Inter_face-4.0-py2.7.egg', name: 'Zope.Inter_face', version: '4.0', summary: 'An old egg'},
  {filename: 'zope-inter-face-5.0.tar.gz', name: 'zope--inter.face', version: '5.0', summary: ''},
  {filename: 'WinTool-1.0.win32-py2.7.exe', name: 'WinTool', version: '1.0', requires_python: ''},
  {
    filename: 'WinTool-1.1.win-amd64.msi',
    name: 'wintool',
    version: '1.1',
    summary: 'installs "itself" \\ & <b>',
  },
  {filename: 'SHOUT-0.1.ZIP', name: 'SHOUT', version: '0.1', summary: 'LOUD'},
  {
    filename: 'Shout-0.2.zip',
    name: 'Shout',
    version: '0.2',
    summary: 'louder',
    requires_python: '>=2.7, !=3.0.*',
  },
  {filename: 'old.dotted-0.1dev-r1234.tar.bz2', name: 'old.dotted', version: '0.1dev-r1234'},
  {
    filename: 'local_build-1.0+local.7.g1a2b3c-py3-none-any.whl',
    name: 'local_build',
    version: '1.0+local.7.g1a2b3c',
    summary: 'a local version',
    requires_python: '>=3.8,<4',
  },
  {filename: 'epoch-1!2.0.tar.gz', name: 'epoch', version: '1!2.0', summary: 'counts anew'},
  {
    filename: `long-${'1.'.repeat(60)}0.tar.gz`,
    name: 'long',
    version: `${'1.'.repeat(60)}0`,
    summary: 'of many parts',
  },
  {filename: '3to2-1.zip', name: '3to2', version: '1', summary: '🎉🐍 4-byte, «kept» – ЮНИКОД 開かれた é'},
  {filename: 'x-0.tar.gz', name: 'X', version: '0', summary: 'line\nbreak\ttab  and   spaces'},
  {filename: 'wordy-1.0.tar.gz', name: 'wordy', version: '1.0', summary: 'w🎈rds '.repeat(900).trim()},
  {
    filename: 'wordy-1.0.0.tar.gz',
    name: 'wordy',
    version: '1.0.0',
    summary: 'of the same version, spelt otherwise',
  },
  {
    filename: 'not a version-final.zip',
    name: 'not a version',
    version: 'final (2)',
    summary: 'no version of PEP 440',
  },
  {
    filename: 'a__b--c..d-1.0.tgz',
    name: 'a__b--c..d',
    version: '1.0',
    summary: "it's 100% `odd` {json: true}",
  },
  {filename: 'null-1.0.tar.gz', name: 'null', version: '1.0', summary: 'null', requires_python: 'None'},
  {
    filename: 'constructor-1.0.tar.gz',
    name: 'constructor',
    version: '1.0',
    summary: 'named like a part of the language',
  },
  {filename: 'naïve-1.0.tar.gz', name: 'naïve', version: '1.0', summary: 'not ASCII'},
]
