import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {AddressGuard, isPublicAddress} from '../../../src/lib/index/upstream/addresses.js'

describe('an address', () => {
  it('is public unless it is of this machine, of a private network, of the link or reserved', () => {
    for (const address of ['93.184.216.34', '8.8.8.8', '172.32.0.1', '2606:2800:220:1:248:1893:25c8:1946']) {
      assert.ok(isPublicAddress(address), address)
    }
    const notPublic = [
      ...['127.0.0.1', '127.255.0.9', '0.0.0.0', '10.1.2.3', '172.16.0.1', '172.31.255.255', '192.168.1.1'],
      ...['169.254.169.254', '100.64.0.1', '224.0.0.1', '255.255.255.255', '198.18.0.1', '192.0.2.7'],
      ...[
        '::',
        '::1',
        '::ffff:127.0.0.1',
        '::ffff:7f00:1',
        '::127.0.0.1',
        '64:ff9b::7f00:1',
        '2002:7f00:1::',
      ],
      ...['fe80::1', 'fc00::1', 'fd00:ec2::254', 'ff02::1', '2001:db8::1', 'localhost', ''],
    ]
    for (const address of notPublic) assert.ok(!isPublicAddress(address), address)
  })
})

describe('where an upstream may lead', () => {
  const guard = new AddressGuard({
    own: new URL('http://pypi.corp:8080/base'),
    allowed: ['files.corp', 'mirror.corp:81', '10.1.0.0/16', '192.168.7.7'],
  })
  const check = (url: string) => guard.checkUrl(new URL(url))

  it('is its own host on a private network, but never the link-local one of cloud metadata', () => {
    assert.ok(guard.allows('pypi.corp:8080', '10.9.9.9'))
    assert.ok(guard.allows('pypi.corp:8080', '127.0.0.1'))
    assert.ok(!guard.allows('pypi.corp:8080', '169.254.169.254'))
    assert.ok(!guard.allows('pypi.corp:8080', '::ffff:169.254.169.254'))
    assert.ok(!guard.allows('pypi.corp:8081', '10.9.9.9'), 'another port is another service')
  })

  it('is what the operator lists', () => {
    assert.ok(guard.allows('files.corp:443', '10.9.9.9'))
    assert.ok(guard.allows('mirror.corp:81', '10.9.9.9'))
    assert.ok(!guard.allows('mirror.corp:80', '10.9.9.9'))
    assert.ok(guard.allows('anything:80', '10.1.200.1'))
    assert.ok(guard.allows('anything:80', '192.168.7.7'))
    assert.ok(!guard.allows('anything:80', '192.168.7.8'))
  })

  it('is nothing but HTTP, and no other spelling of this machine', () => {
    for (const url of ['file:///etc/passwd', 'ftp://files.corp/x', 'data:text/plain,x', 'gopher://x/']) {
      assert.throws(() => check(url), /no address for a file/, url)
    }
    for (const host of [
      ...['127.0.0.1', '2130706433', '0x7f.1', '0177.0.0.1', '127.1', '[::1]', '[::ffff:127.0.0.1]'],
      ...['localhost', 'localhost.', 'a.localhost', 'LOCALHOST', '169.254.169.254', '[fe80::1]', '0'],
    ]) {
      assert.throws(() => check(`http://${host}/x`), /not a public one/, host)
    }
    assert.doesNotThrow(() => check('https://files.example/x'))
    assert.doesNotThrow(() => check('http://10.1.3.4/x'))
  })
})
