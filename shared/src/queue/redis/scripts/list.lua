-- Reads the jobs that are not done, at one moment.
-- KEYS  1 jobs  2 delayed  3.. active lists
-- ARGV  1 how many waiting and how many delayed ones at most
-- returns {now in ms, number of waiting, number of delayed, {the waiting ones, the next to be claimed last},
--          {the delayed ones, each with the time of its next attempt in ms}, {{the elements of each active list}}}
local time = redis.call('TIME')
local held = {}
for i = 3, #KEYS do
  held[i - 2] = redis.call('LRANGE', KEYS[i], 0, -1)
end
return {time[1] * 1000 + math.floor(time[2] / 1000), redis.call('LLEN', KEYS[1]), redis.call('ZCARD', KEYS[2]),
        redis.call('LRANGE', KEYS[1], '-' .. ARGV[1], -1),
        redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[1]), held}
