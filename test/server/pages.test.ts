import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {after, before, describe, it} from 'node:test'
import {runInNewContext} from 'node:vm'
import type {LightMyRequestResponse} from 'fastify'
import {DomUtils, parseDocument} from 'htmlparser2'
import {createSignupToken} from '../../src/lib/access/tokens.js'
import {testPassword, testPasswordHash} from '../support/live-server.js'
import {buildWheel} from '../support/wheels.js'
import {basic, install, type Installation} from './installation.js'
import {uploadForm} from './upload-form.js'

const ini = `[app:main]
use = egg:pypicloud
filter-with = prefix
pypi.fallback = none
pypi.default_read = authenticated
storage.dir = %(here)s/packages
db.url = sqlite:///%(here)s/cache.db
pypi.auth = sql
auth.db.url = sqlite:///%(here)s/access.db
auth.signing_key = key
session.validate_key = one

[filter:prefix]
use = egg:PasteDeploy#prefix
prefix = /index
`
const base = 'http://pypi.example.com/index'

/** A browser without script: it keeps its cookie, follows links and sends forms as they are in the page. */
class Browser {
  cookie = ''
  constructor(private readonly server: Installation) {}

  async open(url: string): Promise<Page> {
    return this.#show(url, await this.#send('GET', url))
  }
  async #send(method: 'GET' | 'POST', url: string, payload?: string): Promise<LightMyRequestResponse> {
    assert.ok(url.startsWith(`${base}/`), `${url} is out of the prefix`)
    const answer = await this.server.app.inject({
      method,
      url: url.slice('http://pypi.example.com'.length),
      headers: {
        host: 'pypi.example.com',
        accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8',
        ...(this.cookie === '' ? {} : {cookie: this.cookie}),
        ...(payload === undefined
          ? {}
          : {
              'content-type': 'application/x-www-form-urlencoded',
              origin: 'http://pypi.example.com',
              'sec-fetch-site': 'same-origin',
            }),
      },
      ...(payload === undefined ? {} : {payload}),
    })
    const [given = ''] = [answer.headers['set-cookie'] ?? []].flat()
    if (given !== '') this.cookie = /=;/.test(given) ? '' : (given.split(';')[0] ?? '')
    return answer
  }
  async #show(url: string, answer: LightMyRequestResponse): Promise<Page> {
    const {location} = answer.headers
    if (location === undefined) return new Page(url, answer)
    assert.doesNotMatch(location, /^\w+:/, 'a proxy may have a prefix of its own')
    return this.open(new URL(location, url).href)
  }
  /** Fills in the form that is sent to `action` and has these fields. */
  async submit(page: Page, action: string, values: Record<string, string>): Promise<Page> {
    const form = page.forms.find(each => each.action === `${base}/${action}`)
    assert.ok(form, `${page.url} has no form for ${action}`)
    for (const name of Object.keys(values)) assert.ok(form.fields.has(name), `no field ${name}`)
    const payload = new URLSearchParams({...Object.fromEntries(form.fields), ...values}).toString()
    return this.#show(form.action, await this.#send('POST', form.action, payload))
  }
}

class Page {
  readonly status: number
  readonly #dom
  constructor(
    readonly url: string,
    readonly answer: LightMyRequestResponse,
  ) {
    this.status = answer.statusCode
    this.#dom = parseDocument(answer.payload)
    this.#check()
  }
  elements(name: string) {
    return DomUtils.getElementsByTagName(name, this.#dom)
  }
  get text(): string {
    return DomUtils.innerText(this.elements('body')).replace(/\s+/g, ' ')
  }
  get links(): Map<string, string> {
    return new Map(
      this.elements('a').map(link => [
        DomUtils.innerText(link),
        new URL(link.attribs['href'] ?? '', this.url).href,
      ]),
    )
  }
  get forms() {
    return this.elements('form').map(form => ({
      action: new URL(form.attribs['action'] ?? '', this.url).href,
      fields: new Map(
        DomUtils.getElementsByTagName('input', form).map(({attribs}) => [
          attribs['name'] ?? '',
          attribs['value'] ?? '',
        ]),
      ),
    }))
  }
  /** What holds of every page for people. */
  #check(): void {
    const {headers, payload} = this.answer
    assert.match(payload, /^<!DOCTYPE html>\n<html lang="en">/)
    const policy = String(headers['content-security-policy'])
    assert.match(policy, /^default-src 'none'; style-src 'self'; /)
    assert.doesNotMatch(policy, /unsafe|\*|https?:/)
    for (const script of this.elements('script')) {
      assert.equal(script.attribs['src'], undefined)
      const digest = createHash('sha256').update(DomUtils.textContent(script)).digest('base64')
      assert.ok(policy.includes(`script-src 'sha256-${digest}'`), 'the browser would not run it')
    }
    assert.doesNotMatch(payload, /<[^>]*\s(?:on\w+|style)=/i)
    assert.equal(this.elements('h1').length, 1)
    assert.equal(this.elements('main').length, 1)
    assert.ok(this.elements('meta').some(({attribs}) => attribs['name'] === 'viewport'))
    for (const input of this.elements('input')) {
      const {type, ['aria-label']: label} = input.attribs
      const inLabel = input.parent !== null && 'name' in input.parent && input.parent.name === 'label'
      assert.ok(type === 'hidden' || inLabel || label, 'a field without a label')
    }
    for (const [title, url] of this.links) assert.ok(url.startsWith(`${base}/`), `${title} leads to ${url}`)
  }
}

describe('the pages for people', () => {
  let server: Installation
  const names = ['acme-tool', 'acme-web', 'other']
  before(async () => {
    server = await install(ini)
  })
  after(() => server[Symbol.asyncDispose]())
  const accounts = () => server.backends.access

  it('make the first administrator, who is logged in and can log out', async () => {
    const browser = new Browser(server)
    const login = await browser.open(`${base}/acct/login`)
    const form = await browser.open(login.links.get('Ask for an account') ?? '')
    assert.match(form.text, /no administrator yet/)
    const front = await browser.submit(form, 'acct/register', {username: 'root', password: testPassword})
    assert.equal(front.url, `${base}/`)
    assert.match(front.text, /root/)
    assert.equal((await accounts().findAccount('root'))?.admin, true)
    assert.equal((await browser.open(`${base}/login`)).url, `${base}/`, 'no second log-in')
    const old = browser.cookie
    const out = await browser.submit(front, 'acct/logout', {})
    assert.ok(out.links.has('Log in'))
    browser.cookie = old
    assert.ok((await browser.open(`${base}/`)).links.has('Log in'), 'the session has ended')
  })

  it('let people register, when they may, and log in once they are approved', async () => {
    const browser = new Browser(server)
    assert.equal((await browser.open(`${base}/acct/login`)).links.has('Ask for an account'), false)
    await accounts().writer!.setRegistration(true)
    const form = await browser.open(`${base}/acct/register/`)
    const problem = await browser.submit(form, 'acct/register', {username: 'root', password: 'x'})
    assert.equal(problem.status, 400)
    assert.match(problem.text, /User 'root' already exists!/)
    const done = await browser.submit(problem, 'acct/register', {
      username: '<b>"amy"&',
      password: testPassword,
    })
    assert.match(done.text, /once an administrator has approved it/)
    let login = await browser.open(done.links.get('log in') ?? '')
    login = await browser.submit(login, 'acct/login', {username: '<b>"amy"&', password: testPassword})
    assert.equal(login.status, 403)
    assert.match(login.text, /is wrong/)
    assert.equal(login.forms[0]?.fields.get('username'), '<b>"amy"&', 'kept, and escaped')
    await accounts().writer!.approve('<b>"amy"&')
    const front = await browser.submit(login, 'acct/login', {username: '<b>"amy"&', password: testPassword})
    assert.equal(front.url, `${base}/`)
    assert.match(front.text, /<b>"amy"&/)
    assert.equal(front.elements('b').length, 0)
  })

  it('take a signup token, from the address or typed in', async () => {
    const token = createSignupToken('guest', 'key')
    const browser = new Browser(server)
    let page = await browser.open(`${base}/acct/tokenRegister?token=${encodeURIComponent(token)}`)
    assert.equal(page.forms[0]?.fields.get('token'), token)
    page = await browser.submit(page, 'acct/tokenRegister', {password: 'x'.repeat(101)})
    assert.match(page.text, /cannot exceed 100/)
    const front = await browser.submit(page, 'acct/tokenRegister', {password: testPassword})
    assert.match(front.text, /guest/)
    const again = await browser.submit(page, 'acct/tokenRegister', {password: testPassword})
    assert.equal(again.status, 400)
    assert.match(again.text, /exists already/)
    const bad = await browser.open(`${base}/tokenRegister/?token=%3Cscript%3E`)
    assert.match(bad.text, /not valid/)
    // a link of pypicloud: the token is behind the #, which only the script of the page can read
    const login = await new Browser(server).open(`${base}/acct/login`)
    const [script] = login.elements('script')
    const elements = new Map<string, {value?: string; hidden?: boolean}>()
    const querySelector = (path: string) => elements.get(path) ?? elements.set(path, {}).get(path)
    runInNewContext(DomUtils.textContent(script ?? []), {
      location: {hash: '#/?token=a%20b:1:ff'},
      document: {querySelector},
      decodeURIComponent,
    })
    assert.deepEqual(Object.fromEntries(elements), {
      '#invitation [name=token]': {value: 'a b:1:ff'},
      '#invitation': {hidden: false},
      '#login': {hidden: true},
    })
    assert.ok(
      login.forms.some(({action, fields}) => action === `${base}/acct/tokenRegister` && fields.has('token')),
    )
  })

  it('change a password', async () => {
    await accounts().writer!.addAccount({
      username: 'bob',
      passwordHash: testPasswordHash,
      admin: false,
      pending: false,
    })
    const [here, elsewhere] = [new Browser(server), new Browser(server)]
    for (const browser of [here, elsewhere]) {
      const login = await browser.open(`${base}/login/`)
      await browser.submit(login, 'acct/login', {username: 'bob', password: testPassword})
    }
    let page = await here.open((await here.open(`${base}/`)).links.get('Change password') ?? '')
    page = await here.submit(page, 'acct/password', {old_password: 'no', new_password: 'new one'})
    assert.match(page.text, /password is wrong/)
    const forged = await here.submit(page, 'acct/password', {
      csrf_token: 'x',
      old_password: testPassword,
      new_password: 'new one',
    })
    assert.equal(forged.status, 403)
    page = await here.submit(page, 'acct/password', {old_password: testPassword, new_password: 'new one'})
    assert.equal(page.url, `${base}/`)
    assert.match(page.text, /bob/)
    assert.ok((await elsewhere.open(`${base}/acct/password`)).url.endsWith('/acct/login'), 'ended elsewhere')
  })

  it('list the projects that the reader may see, and find them by name', async () => {
    await accounts().writer!.setAdmin('root', true)
    await accounts().writer!.createGroup('web')
    for (const name of names) {
      await accounts().writer!.grant(name, {user: 'root'}, 'write')
      if (name !== 'acme-web') await accounts().writer!.grant(name, {group: 'everyone'}, 'read')
      const form = uploadForm(await buildWheel({name, version: '1.0'}), {name, version: '1.0'})
      const answer = await server.app.inject({
        method: 'POST',
        url: '/index/simple/',
        payload: form.payload,
        headers: {...form.headers, authorization: basic('root', testPassword)},
      })
      assert.equal(answer.statusCode, 200, answer.payload)
    }
    const listed = (page: Page) => names.filter(name => page.links.has(name))
    const anybody = new Browser(server)
    assert.deepEqual(listed(await anybody.open(`${base}/`)), ['acme-tool', 'other'])
    assert.deepEqual(listed(await anybody.open(`${base}/?q=Acme_`)), ['acme-tool'])
    const found = await anybody.open(`${base}/?q=${encodeURIComponent('"><script>alert(1)</script>')}`)
    assert.equal(found.elements('script').length, 0)
    assert.match(found.text, /0 projects with/)
    const root = new Browser(server)
    await root.submit(await root.open(`${base}/login`), 'acct/login', {
      username: 'root',
      password: testPassword,
    })
    const front = await root.open(`${base}/`)
    assert.deepEqual(listed(front), names)
    const page = await server.app.inject({
      url: new URL(front.links.get('acme-web') ?? '').pathname,
      headers: {cookie: root.cookie},
    })
    assert.equal(page.statusCode, 200)
  })

  it('say how tools are told of the index', async () => {
    const {text} = await new Browser(server).open(`${base}/`)
    for (const line of [
      `pip install --index-url ${base}/simple/ PROJECT`,
      `index-url = ${base}/simple/`,
      `url = "${base}/simple/"`,
      `repository = ${base}/simple/`,
      'machine pypi.example.com',
    ]) {
      assert.ok(text.includes(line), line)
    }
  })

  it('are made up with a style that may be kept for ever', async () => {
    const page = await new Browser(server).open(`${base}/acct/login/`)
    const [link] = page.elements('link')
    const address = new URL(link?.attribs['href'] ?? '', page.url)
    const style = await server.app.inject({url: address.pathname})
    assert.equal(style.statusCode, 200)
    assert.equal(style.headers['content-type'], 'text/css; charset=UTF-8')
    assert.match(String(style.headers['cache-control']), /immutable/)
    assert.equal((await server.app.inject({url: '/index/static/other.css'})).statusCode, 404)
  })
})
