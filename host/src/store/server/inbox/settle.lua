-- Ends a claim, unless another host has claimed the lane meanwhile.
-- ARGV: prefix, plugin, lane, token, id, how it ended, milliseconds until the next try, and the reason.
local p, plugin, lane, id, how = ARGV[1], ARGV[2], ARGV[3], ARGV[5], ARGV[6]
local holders, ids = p .. 'holders:' .. plugin, p .. 'lane:' .. plugin .. '/' .. lane
if redis.call('HGET', holders, lane) ~= ARGV[4] then return 0 end
local entry = p .. 'entry:' .. id
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = now
if how == 'done' then
  local size = redis.call('HSTRLEN', entry, 'body')
  for _, field in ipairs({ 'entries', 'entries/' .. plugin }) do redis.call('HINCRBY', p .. 'usage', field, -1) end
  for _, field in ipairs({ 'bytes', 'bytes/' .. plugin }) do redis.call('HINCRBY', p .. 'usage', field, -size) end
  redis.call('LREM', ids, 1, id)
  redis.call('ZREM', p .. 'waiting:' .. plugin, id)
  redis.call('DEL', entry)
elseif how == 'aside' then
  redis.call('HINCRBY', entry, 'failures', 1)
  redis.call('HSET', entry, 'reason', ARGV[8])
  redis.call('LREM', ids, 1, id)
  redis.call('ZREM', p .. 'waiting:' .. plugin, id)
  redis.call('ZADD', p .. 'aside:' .. plugin, now, id)
elseif how == 'again' then
  redis.call('HINCRBY', entry, 'failures', 1)
  redis.call('HSET', entry, 'reason', ARGV[8])
  due = now + tonumber(ARGV[7])
else
  redis.call('HINCRBY', entry, 'attempts', -1)
  due = now + tonumber(ARGV[7])
end
redis.call('ZREM', p .. 'claimed:' .. plugin, lane)
redis.call('HDEL', holders, lane)
if redis.call('LLEN', ids) > 0 then redis.call('ZADD', p .. 'due:' .. plugin, due, lane) end
return 1
