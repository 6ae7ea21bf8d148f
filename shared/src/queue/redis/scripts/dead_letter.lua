-- Moves an element that no further attempt can help to the dead-letter list. LTRIM comes first: it changes nothing and needs no
-- memory, and after a first write a script may complete even where Redis is full.
-- KEYS  1 active  2 dead  3 crashes  4 attempts  5 stats
-- ARGV  1 element  2 its id, or nothing  3 its bytes of text  4 length of the dead-letter list
--       5 JSON of its entry there without its end: the time is added
-- returns 1 if it was moved, 0 if this worker does not hold it any more
if not redis.call('LPOS', KEYS[1], ARGV[1]) then
  return 0
end
redis.call('LTRIM', KEYS[1], 0, -1)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('LPUSH', KEYS[2], ARGV[5] .. ',"at":' .. string.format('%.0f', now) .. '}')
redis.call('LTRIM', KEYS[2], 0, ARGV[4] - 1)
redis.call('LREM', KEYS[1], 1, ARGV[1])
redis.pcall('HDEL', KEYS[3], ARGV[2])
redis.pcall('HDEL', KEYS[4], ARGV[2])
add_queued_bytes(KEYS[5], -ARGV[3])
redis.pcall('HINCRBY', KEYS[5], 'dead', 1)
return 1
