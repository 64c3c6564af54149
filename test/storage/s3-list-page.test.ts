import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {parseListPage} from '../../src/lib/storage/s3/list-page.js'

const object = (key: string) =>
  `<Contents><Key>${key}</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;ab&quot;</ETag><Size>7</Size><Owner><ID>o</ID></Owner></Contents>`
const page = (about: string, ...keys: string[]) =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>${about}${keys.map(object).join('')}</ListBucketResult>`

describe('a page of a listing of S3', () => {
  it('tells keys as they are, also those that XML has to write in other ways', () => {
    const keys = ['a &amp; b/&lt;1&gt;.zip', 'é&#13;&#x1F40D;/&apos;&amp;amp;&apos;.zip', '&unknown;.zip']
    const found = parseListPage(page('<IsTruncated>false</IsTruncated>', ...keys))
    const listed = found?.objects() ?? []
    assert.deepEqual(
      listed.map(({Key}) => Key),
      ['a & b/<1>.zip', "é\r🐍/'&amp;'.zip", '&unknown;.zip'],
    )
    assert.deepEqual(listed[0], {
      Key: 'a & b/<1>.zip',
      Size: 7,
      LastModified: new Date('2026-01-02T03:04:05Z'),
      ETag: '"ab"',
    })
    assert.equal(found?.nextToken, undefined)
  })

  it('tells where the next one begins, before its objects and after them', () => {
    const about =
      '<IsTruncated>true</IsTruncated><NextContinuationToken>1/&amp;==</NextContinuationToken><KeyCount>1</KeyCount>'
    const before = page(about, 'a')
    const behind = page('', 'a').replace('</ListBucketResult>', `${about}</ListBucketResult>\n`)
    for (const xml of [before, behind]) assert.equal(parseListPage(xml)?.nextToken, '1/&==')
  })

  it('is left to the SDK when it is not whole or not plain', () => {
    const whole = page(
      '<IsTruncated>true</IsTruncated><NextContinuationToken>1</NextContinuationToken>',
      'a',
      'b',
    )
    assert.ok(parseListPage(whole))
    for (let length = 0; length < whole.length; length += 1) {
      assert.equal(parseListPage(whole.slice(0, length)), undefined, whole.slice(0, length))
    }
    assert.equal(parseListPage(page('<IsTruncated>true</IsTruncated>', 'a')), undefined)
    assert.equal(parseListPage(whole.replace('<Key>a<', '<Key><![CDATA[a]]><')), undefined)
    assert.equal(parseListPage(whole.replace('<Size>7<', '<Size>many<'))?.objects(), undefined)
    assert.equal(parseListPage('<html>maintenance</html>'), undefined)
  })
})
