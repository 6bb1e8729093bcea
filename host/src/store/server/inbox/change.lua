-- Carries out an operator's decision. ARGV: prefix, id, `retry` or `drop`.
local p, id = ARGV[1], ARGV[2]
local entry = p .. 'entry:' .. id
local found = redis.call('HMGET', entry, 'plugin', 'lane')
local plugin, lane = found[1], found[2]
if not plugin then return 'unknown' end
local is_aside = redis.call('ZSCORE', p .. 'aside:' .. plugin, id)
local due, ids = p .. 'due:' .. plugin, p .. 'lane:' .. plugin .. '/' .. lane
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[3] == 'retry' then
  if not is_aside then return 'under_way' end
  redis.call('ZREM', p .. 'aside:' .. plugin, id)
  redis.call('HSET', entry, 'failures', 0)
  redis.call('ZADD', p .. 'waiting:' .. plugin, now, id)
  if redis.call('RPUSH', ids, id) == 1 then redis.call('ZADD', due, now, lane) end
  return 'done'
end
if not is_aside then
  local is_claimed = redis.call('HEXISTS', p .. 'holders:' .. plugin, lane) == 1
  if is_claimed and redis.call('LINDEX', ids, 0) == id then return 'under_way' end
  redis.call('LREM', ids, 1, id)
  if redis.call('LLEN', ids) == 0 then redis.call('ZREM', due, lane) end
end
local size = redis.call('HSTRLEN', entry, 'body')
for _, field in ipairs({ 'entries', 'entries/' .. plugin }) do redis.call('HINCRBY', p .. 'usage', field, -1) end
for _, field in ipairs({ 'bytes', 'bytes/' .. plugin }) do redis.call('HINCRBY', p .. 'usage', field, -size) end
redis.call('ZREM', p .. 'aside:' .. plugin, id)
redis.call('ZREM', p .. 'waiting:' .. plugin, id)
redis.call('DEL', entry)
return 'done'
