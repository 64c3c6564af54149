import {escapeHtml} from '../../index/pages/markup.js'

/** How tools are told of this index. */
export function setUp({
  username,
  indexUrl,
  uploadUrl,
}: {
  readonly username: string | undefined
  readonly indexUrl: string
  readonly uploadUrl: string
}): string {
  const name = username ?? 'USER'
  const block = (title: string, text: string): string =>
    `<h3>${title}</h3>\n<pre><code>${escapeHtml(text)}</code></pre>\n`
  return [
    '<h2>Install</h2>\n',
    block('pip', `pip install --index-url ${indexUrl} PROJECT`),
    block('pip, for good: in pip.conf', `[global]\nindex-url = ${indexUrl}`),
    block(
      'uv: in pyproject.toml',
      `[[tool.uv.index]]\nname = "internal"\nurl = "${indexUrl}"\ndefault = true`,
    ),
    '<p>Where a password is asked for, keep it in <code>~/.netrc</code>:</p>\n',
    block('~/.netrc', `machine ${hostOf(indexUrl)}\nlogin ${name}\npassword PASSWORD`),
    '<h2>Publish</h2>\n',
    block(
      'twine: in ~/.pypirc',
      `[distutils]\nindex-servers = internal\n\n[internal]\nrepository = ${uploadUrl}\nusername = ${name}`,
    ),
    block('then', 'twine upload --repository internal dist/*'),
    block('uv', `uv publish --publish-url ${uploadUrl} --username ${name} dist/*`),
  ].join('')
}

const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).hostname : 'HOST')
