-- Stores an entry, unless it was stored before or there is no room.
-- KEYS: its marks. ARGV: prefix, plugin, lane, head, body, milliseconds for the marks, and the most entries and bytes of the app
-- and of the plugin.
local p, plugin, lane = ARGV[1], ARGV[2], ARGV[3]
for _, mark in ipairs(KEYS) do
  local found = redis.call('GET', mark)
  if found and string.sub(found, 1, 1) == 'd' then return 'repeated' end
end
local size = #ARGV[5]
local function used(field) return tonumber(redis.call('HGET', p .. 'usage', field) or '0') end
if used('entries/' .. plugin) >= tonumber(ARGV[9]) or used('bytes/' .. plugin) + size > tonumber(ARGV[10]) then
  return 'plugin'
end
if used('entries') >= tonumber(ARGV[7]) or used('bytes') + size > tonumber(ARGV[8]) then return 'app' end
for _, mark in ipairs(KEYS) do redis.call('SET', mark, 'd', 'PX', ARGV[6]) end
for _, field in ipairs({ 'entries', 'entries/' .. plugin }) do redis.call('HINCRBY', p .. 'usage', field, 1) end
for _, field in ipairs({ 'bytes', 'bytes/' .. plugin }) do redis.call('HINCRBY', p .. 'usage', field, size) end
local id = redis.call('INCR', p .. 'next')
redis.call('HSET', p .. 'entry:' .. id, 'plugin', plugin, 'lane', lane, 'head', ARGV[4], 'body', ARGV[5],
  'attempts', 0, 'failures', 0, 'reason', '')
redis.call('SADD', p .. 'plugins', plugin)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', p .. 'waiting:' .. plugin, now, id)
if redis.call('RPUSH', p .. 'lane:' .. plugin .. '/' .. lane, id) == 1 then
  redis.call('ZADD', p .. 'due:' .. plugin, now, lane)
end
return 'stored'
