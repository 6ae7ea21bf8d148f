-- Moves an element that no further attempt can help to the dead list.
-- KEYS  1 active  2 dead  3 crashes  4 attempts  5 stats
-- ARGV  1 element  2 its id, or nothing  3 length of the dead list  4 its entry there, still open for the time
-- returns 1 buried, 0 not this worker's any more
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then
  return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('LPUSH', KEYS[2], ARGV[4] .. ',"at":' .. string.format('%.0f', now) .. '}')
redis.call('LTRIM', KEYS[2], 0, ARGV[3] - 1)
redis.call('HDEL', KEYS[3], ARGV[2])
redis.call('HDEL', KEYS[4], ARGV[2])
redis.call('HINCRBY', KEYS[5], 'dead', 1)
return 1
