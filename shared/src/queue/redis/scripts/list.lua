-- Reads the jobs that are not done, at one moment.
-- KEYS  1 jobs  2 delayed  3.. active lists
-- ARGV  1 how many at most of those that wait, and of those that are delayed
-- returns {now in ms, waiting, delayed, {those that wait, the next to be claimed last},
--          {those that are delayed, each with the time of its next attempt in ms}, {{what each of the active lists holds}}}
local time = redis.call('TIME')
local held = {}
for i = 3, #KEYS do
  held[i - 2] = redis.call('LRANGE', KEYS[i], 0, -1)
end
return {time[1] * 1000 + math.floor(time[2] / 1000), redis.call('LLEN', KEYS[1]), redis.call('ZCARD', KEYS[2]),
        redis.call('LRANGE', KEYS[1], '-' .. ARGV[1], -1),
        redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[1]), held}
