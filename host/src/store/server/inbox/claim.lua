-- Claims lanes whose first entry is due, and returns those entries. Claims whose lease has ended are free again.
-- ARGV: prefix, milliseconds of a lease, token of these claims, and for each plugin its name and the most entries.
local p, lease, token = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local taken, next_due = {}, -1
for at = 4, #ARGV, 2 do
  local plugin, most = ARGV[at], tonumber(ARGV[at + 1])
  local due, claimed, holders = p .. 'due:' .. plugin, p .. 'claimed:' .. plugin, p .. 'holders:' .. plugin
  for _, lane in ipairs(redis.call('ZRANGEBYSCORE', claimed, '-inf', now, 'LIMIT', 0, 100)) do
    redis.call('ZREM', claimed, lane)
    redis.call('HDEL', holders, lane)
    redis.call('ZADD', due, now, lane)
  end
  for _, lane in ipairs(redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, most)) do
    redis.call('ZREM', due, lane)
    local id = redis.call('LINDEX', p .. 'lane:' .. plugin .. '/' .. lane, 0)
    if id then
      local entry = p .. 'entry:' .. id
      redis.call('ZADD', claimed, now + lease, lane)
      redis.call('HSET', holders, lane, token)
      local attempt = redis.call('HINCRBY', entry, 'attempts', 1)
      local found = redis.call('HMGET', entry, 'failures', 'head', 'body')
      taken[#taken + 1] = { plugin, lane, id, attempt, found[1], found[2], found[3] }
    end
  end
  local first = redis.call('ZRANGE', due, 0, 0, 'WITHSCORES')
  if first[2] then
    local wait = math.max(tonumber(first[2]) - now, 0)
    if next_due < 0 or wait < next_due then next_due = wait end
  end
end
return { next_due, taken }
