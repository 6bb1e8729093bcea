-- Renews the claims that still are this host's. ARGV: prefix, milliseconds of a lease, and for each claim its plugin, lane and
-- token.
local p, lease = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local renewed = 0
for at = 3, #ARGV, 3 do
  local plugin, lane = ARGV[at], ARGV[at + 1]
  if redis.call('HGET', p .. 'holders:' .. plugin, lane) == ARGV[at + 2] then
    redis.call('ZADD', p .. 'claimed:' .. plugin, now + lease, lane)
    renewed = renewed + 1
  end
end
return renewed
