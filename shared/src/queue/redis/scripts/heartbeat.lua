-- Notes a worker's heartbeat by Redis's clock, so that the machines' clocks need not agree. ZREM comes first: it needs no
-- memory, and after a first write a script may complete even where Redis is full.
-- KEYS  1 workers  2 worker-info  3 active
-- ARGV  1 worker  2 its description
-- returns its active list
redis.call('ZREM', KEYS[1], ARGV[1])
local time = redis.call('TIME')
redis.call('ZADD', KEYS[1], time[1] * 1000 + math.floor(time[2] / 1000), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
return redis.call('LRANGE', KEYS[3], 0, -1)
