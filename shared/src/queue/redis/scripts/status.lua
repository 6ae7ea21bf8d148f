-- Reads how many jobs are in each state, at one moment.
-- KEYS  1 jobs  2 refresh jobs  3 delayed  4 dead  5 stats  6 paused  7.. active lists
-- returns {now in ms, waiting, waiting refreshes, delayed, dead, counters, who paused or nil, the job that is claimed next or nil,
--          {how many jobs each of the active lists holds}}
local time = redis.call('TIME')
local holds = {}
for i = 7, #KEYS do
  holds[i - 6] = redis.call('LLEN', KEYS[i])
end
return {time[1] * 1000 + math.floor(time[2] / 1000), redis.call('LLEN', KEYS[1]), redis.call('LLEN', KEYS[2]),
        redis.call('ZCARD', KEYS[3]), redis.call('LLEN', KEYS[4]), redis.call('HGETALL', KEYS[5]), redis.call('GET', KEYS[6]),
        redis.call('LINDEX', KEYS[1], -1) or redis.call('LINDEX', KEYS[2], -1), holds}
