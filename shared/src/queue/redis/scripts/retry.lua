-- Schedules a job that failed for a transient reason for a later attempt, or moves it to the dead-letter list if none is left. LTRIM
-- comes first: it changes nothing and needs no memory, and after a first write a script may complete even where Redis is full.
-- KEYS  1 active  2 delayed  3 dead  4 crashes  5 attempts  6 stats
-- ARGV  1 envelope  2 its id  3 first delay, ms  4 longest delay, ms  5 attempts it may have  6 length of the dead-letter list
--       7 JSON of its entry in that list without its end: the time is added  8 its bytes of text
-- returns the delay in ms, 0 if it is a dead letter, -1 if this worker does not hold it any more
if not redis.call('LPOS', KEYS[1], ARGV[1]) then
  return -1
end
redis.call('LTRIM', KEYS[1], 0, -1)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local attempts = tonumber(redis.pcall('HINCRBY', KEYS[5], ARGV[2], 1)) or 1
if attempts >= tonumber(ARGV[5]) then
  redis.call('LPUSH', KEYS[3], ARGV[7] .. ',"at":' .. string.format('%.0f', now) .. '}')
  redis.call('LTRIM', KEYS[3], 0, ARGV[6] - 1)
  redis.call('LREM', KEYS[1], 1, ARGV[1])
  redis.pcall('HDEL', KEYS[4], ARGV[2])
  redis.pcall('HDEL', KEYS[5], ARGV[2])
  add_queued_bytes(KEYS[6], -ARGV[8])
  redis.pcall('HINCRBY', KEYS[6], 'dead', 1)
  return 0
end
local delay = math.min(ARGV[3] * 2 ^ (attempts - 1), tonumber(ARGV[4]))
redis.call('ZADD', KEYS[2], now + delay, ARGV[1])
redis.call('LREM', KEYS[1], 1, ARGV[1])
redis.pcall('HINCRBY', KEYS[6], 'retried', 1)
return delay
