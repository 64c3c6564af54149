import {fillingMark, longestExpiry} from '../cache.js'
import {script} from './connection.js'
import {signatureFields, noRow} from './rows.js'
import {factField, filesKey, namesKey, rowKey, summaryKey, witnessField} from './keys.js'

/** What scripts answer in place of a result. */
export const refusal = {
  /** The lock is another's. Nothing was written. */
  lockLost: 'LOCK LOST',
  /** A row is not what was expected. Nothing was written. */
  changed: 'CHANGED',
} as const

const lua = (text: string): string => `'${text}'`

/** Shared: the lock, the rows. A row of another type, which others left, counts as none. */
const common = `
local function lockIsOurs(key, token)
  return token == '' or redis.call('HGET', key, 'token') == token
end
local function renewLock(key, token, milliseconds)
  if token ~= '' then redis.call('PEXPIRE', key, milliseconds) end
end
local function fieldsOf(key, ...)
  local found = redis.pcall('HMGET', key, ...)
  return found.err and {} or found
end
local function signature(key)
  local found = fieldsOf(key, ${signatureFields.map(lua).join(', ')})
  if not found[1] then return ${lua(noRow)} end
  for i = 1, ${signatureFields.length} do found[i] = found[i] or '' end
  return table.concat(found, '\\0')
end
local function milliseconds(seconds)
  local whole, fraction = string.match(seconds or '', '^(%-?%d+)%.?(%d*)$')
  return whole and whole .. '.' .. string.sub(fraction .. '000', 1, 3)
end
-- Others may have written microseconds: a time that is the same to the millisecond stays as it is.
local function writeRow(key, old, first, last)
  redis.call('DEL', key)
  redis.call('HSET', key, unpack(ARGV, first, last))
  local time, witness = old[2], old[3]
  if time and milliseconds(time) == milliseconds(ARGV[first + 7]) then redis.call('HSET', key, 'last_modified', time) end
  if witness then redis.call('HSET', key, ${lua(witnessField)}, witness) end
end
`

/**
 * Writes and removes rows in one step. Only for a single server: the keys of pypicloud lie on many nodes of a cluster.
 * KEYS: lock, state, witnesses. ARGV: the lock's token or '', its milliseconds, then for each file: name, expected
 * signature or '*', how many texts follow (0: remove it), and these: field, value, field, value …
 * @returns projects that are empty because of it.
 */
export const changeRows = script(`${common}
local names = ${lua(namesKey)}
local function filesKey(name) return ${lua(filesKey(''))} .. name end
local function summaryKey(name) return ${lua(summaryKey(''))} .. name end

if not lockIsOurs(KEYS[1], ARGV[1]) then return ${lua(refusal.lockLost)} end

-- Everything is read and checked first: what a script has written stays, even if it fails later.
local changes, touched, order = {}, {}, {}
local function isOfType(key, kind)
  local found = redis.call('TYPE', key).ok
  return found == kind or found == 'none'
end
local function touch(name)
  if touched[name] then return true end
  touched[name] = {}
  order[#order + 1] = name
  return isOfType(filesKey(name), 'set') and isOfType(summaryKey(name), 'hash')
end
local sound, at = isOfType(names, 'set'), 3
while at <= #ARGV do
  local filename, expected, count = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
  local key = ${lua(rowKey(''))} .. filename
  if expected ~= '*' and signature(key) ~= expected then return ${lua(refusal.changed)} end
  local old = fieldsOf(key, 'name')
  if old[1] then sound = touch(old[1]) and sound end
  if count > 0 then sound = touch(ARGV[at + 4]) and sound end
  changes[#changes + 1] = {filename = filename, key = key, first = at + 3, last = at + 2 + count}
  at = at + 3 + count
end
if not sound then return redis.error_reply('WRONGTYPE of a key of pypicloud') end
-- A server without memory refuses the first write of a script or none: so this one, rather than a removal, is the first.
for _, change in ipairs(changes) do
  if change.first <= change.last then
    redis.call('SADD', names, ARGV[change.first + 1])
    break
  end
end

local function leave(name, filename, time)
  redis.call('SREM', filesKey(name), filename)
  touched[name].left = true
  if time == redis.call('HGET', summaryKey(name), 'last_modified') then touched[name].stale = true end
end
local function join(name, filename, time, summary)
  redis.call('SADD', names, name)
  redis.call('SADD', filesKey(name), filename)
  local shown = redis.call('HGET', summaryKey(name), 'last_modified')
  if shown and tonumber(time) >= (tonumber(shown) or 0) then
    redis.call('HSET', summaryKey(name), 'name', name, 'summary', summary, 'last_modified', time)
  elseif not shown then
    touched[name].stale = true
  end
end
for _, change in ipairs(changes) do
  local old = fieldsOf(change.key, 'name', 'last_modified', ${lua(witnessField)})
  local removes = change.last < change.first
  local name = not removes and ARGV[change.first + 1]
  if old[1] and old[1] ~= name then leave(old[1], change.filename, old[2]) end
  if removes then
    redis.call('DEL', change.key)
    if old[3] then redis.call('SREM', KEYS[3], change.filename) end
  else
    if old[1] == name and old[2] == redis.call('HGET', summaryKey(name), 'last_modified') then
      touched[name].stale = true
    end
    writeRow(change.key, old, change.first, change.last)
    join(name, change.filename, redis.call('HGET', change.key, 'last_modified'), ARGV[change.first + 9])
  end
end

local function summarize(name)
  local newest, newestTime, newestFile
  for _, filename in ipairs(redis.call('SMEMBERS', filesKey(name))) do
    local row = fieldsOf(${lua(rowKey(''))} .. filename, 'last_modified', 'summary')
    local time = tonumber(row[1] or '')
    if time and (not newest or time > newestTime or (time == newestTime and filename > newestFile)) then
      newest, newestTime, newestFile = row, time, filename
    end
  end
  if newest then
    redis.call('HSET', summaryKey(name), 'name', name, 'summary', newest[2] or '', 'last_modified', newest[1])
  end
end
local emptied = {}
for _, name in ipairs(order) do
  if redis.call('SCARD', filesKey(name)) == 0 then
    redis.call('SREM', names, name)
    redis.call('DEL', summaryKey(name))
    if touched[name].left then emptied[#emptied + 1] = name end
  elseif touched[name].stale then
    summarize(name)
  end
end
renewLock(KEYS[1], ARGV[1], ARGV[2])
return emptied
`)

/**
 * Reads fields of many rows of a single server at a fifth of what as many commands cost us. ARGV: how many fields,
 * these, then file names. @returns the fields of the first row, of the second …, in one list.
 */
export const readFields = script(`
local count = tonumber(ARGV[1])
local values = {}
for i = count + 2, #ARGV do
  local found = redis.pcall('HMGET', ${lua(rowKey(''))} .. ARGV[i], unpack(ARGV, 2, count + 1))
  for field = 1, count do values[#values + 1] = found[field] or false end
end
return values
`)

/**
 * Writes or removes one row, which lies on one node. KEYS: the row. ARGV: expected signature or '*', then fields and
 * values; without them it is removed.
 * @returns name and witness text of the row before, each '' where there was none.
 */
export const changeRow = script(`${common}
if ARGV[1] ~= '*' and signature(KEYS[1]) ~= ARGV[1] then return ${lua(refusal.changed)} end
local old = fieldsOf(KEYS[1], 'name', 'last_modified', ${lua(witnessField)})
if #ARGV == 1 then redis.call('DEL', KEYS[1]) else writeRow(KEYS[1], old, 2, #ARGV) end
return {old[1] or '', old[3] or ''}
`)

/** KEYS: the summary. ARGV: name, summary, seconds. */
export const writeSummary = script(`
return redis.call('HSET', KEYS[1], 'name', ARGV[1], 'summary', ARGV[2], 'last_modified', ARGV[3])
`)

/** KEYS: the row. ARGV: what makes it a witness. @returns 1, or 0 where there is no row. */
export const markWitness = script(`
if redis.call('HEXISTS', KEYS[1], 'name') == 0 then return 0 end
redis.call('HSET', KEYS[1], ${lua(witnessField)}, ARGV[1])
return 1
`)

/**
 * Sets or takes back facts. KEYS: lock, state, witnesses. ARGV: token, milliseconds, 1 to forget all that was known but
 * that it is being filled, how many witnesses follow, these, then field and value pairs; a field alone is taken back.
 */
export const changeState = script(`${common}
if not lockIsOurs(KEYS[1], ARGV[1]) then return ${lua(refusal.lockLost)} end
local witnesses = tonumber(ARGV[4])
renewLock(KEYS[1], ARGV[1], ARGV[2])
if ARGV[3] == '1' then
  local filling = redis.call('HGET', KEYS[2], ${lua(factField(fillingMark))})
  redis.call('DEL', KEYS[2], KEYS[3])
  if filling then redis.call('HSET', KEYS[2], ${lua(factField(fillingMark))}, filling) end
end
for i = 5, 4 + witnesses do redis.call('SADD', KEYS[3], ARGV[i]) end
for i = 5 + witnesses, #ARGV, 2 do
  if ARGV[i + 1] then redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1]) else redis.call('HDEL', KEYS[2], ARGV[i]) end
end
return 1
`)

// Times are the server's: no host's clock is compared with another's.

/** KEYS: lock. ARGV: token, owner, milliseconds. @returns nil, or its holder's words and milliseconds since it was taken. */
export const takeLock = script(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local held = redis.call('HMGET', KEYS[1], 'owner', 'since')
local left = redis.call('PTTL', KEYS[1])
if held[1] and left >= 0 and left <= ${longestExpiry * 1000} then return {held[1], tostring(now - (tonumber(held[2]) or now))} end
redis.call('HSET', KEYS[1], 'token', ARGV[1], 'owner', ARGV[2], 'since', string.format('%.0f', now))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return false
`)

/** KEYS: lock. ARGV: token, milliseconds. @returns 1 while it is ours. */
export const renewLock = script(`${common}
if not lockIsOurs(KEYS[1], ARGV[1]) then return 0 end
renewLock(KEYS[1], ARGV[1], ARGV[2])
return 1
`)

/** KEYS: lock. ARGV: token. */
export const releaseLock = script(`
if redis.call('HGET', KEYS[1], 'token') == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
`)
