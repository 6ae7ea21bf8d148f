-- Reads how many jobs are in each state, at one moment.
-- KEYS  1 jobs  2 delayed  3 dead  4 stats  5 paused  6.. active lists
-- returns {now in ms, waiting, delayed, dead, counters, who paused or nil, the job that is claimed next or nil,
--          {how many jobs each of the active lists holds}}
local time = redis.call('TIME')
local holds = {}
for i = 6, #KEYS do
  holds[i - 5] = redis.call('LLEN', KEYS[i])
end
return {time[1] * 1000 + math.floor(time[2] / 1000), redis.call('LLEN', KEYS[1]), redis.call('ZCARD', KEYS[2]),
        redis.call('LLEN', KEYS[3]), redis.call('HGETALL', KEYS[4]), redis.call('GET', KEYS[5]),
        redis.call('LINDEX', KEYS[1], -1), holds}
