-- Moves jobs whose next attempt is due to the back of the queue. An element is added there before it is removed here. The first
-- ZREM changes nothing and needs no memory: after a first write a script may complete even where Redis is full.
-- KEYS  1 delayed  2 jobs
-- ARGV  1 how many at most
-- returns how many
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now), 'LIMIT', 0, ARGV[1])
redis.call('ZREM', KEYS[1], '')
for _, element in ipairs(due) do
  redis.call('LPUSH', KEYS[2], element)
  redis.call('ZREM', KEYS[1], element)
end
return #due
