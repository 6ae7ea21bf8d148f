-- Reads the jobs that are not done, at one moment.
-- KEYS  1 jobs  2 refresh jobs  3 delayed  4.. active lists
-- ARGV  1 how many waiting ones, waiting refreshes and delayed ones at most
-- returns {now in ms, number of those that wait or are delayed, {the waiting ones, the next to be claimed last},
--          {the waiting refreshes likewise}, {the delayed ones, each with the time of its next attempt in ms},
--          {{the elements of each active list}}}
local time = redis.call('TIME')
local held = {}
for i = 4, #KEYS do
  held[i - 3] = redis.call('LRANGE', KEYS[i], 0, -1)
end
return {time[1] * 1000 + math.floor(time[2] / 1000),
        redis.call('LLEN', KEYS[1]) + redis.call('LLEN', KEYS[2]) + redis.call('ZCARD', KEYS[3]),
        redis.call('LRANGE', KEYS[1], '-' .. ARGV[1], -1), redis.call('LRANGE', KEYS[2], '-' .. ARGV[1], -1),
        redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[1]), held}
