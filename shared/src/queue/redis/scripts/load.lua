-- Checks a claimed element before its job runs: whether this worker still holds it, and what is known of it.
-- KEYS  1 active  2 jobs  3 paused  4 pending of the prefix  5 compressed prefix  6 crashes
-- ARGV  1 envelope  2 its id
-- returns {state, 1 if the prefix has a result already, crashes}; state is 'taken', 'gone' (it is not there any more) or
--         'paused' (it went back to the front of the queue)
if not redis.call('LPOS', KEYS[1], ARGV[1]) then
  return {'gone', 0, 0}
end
if redis.call('EXISTS', KEYS[3]) == 1 then
  -- LTRIM changes nothing and needs no memory: after a first write a script may complete even where Redis is full.
  redis.call('LTRIM', KEYS[1], 0, -1)
  redis.call('RPUSH', KEYS[2], ARGV[1])
  redis.call('LREM', KEYS[1], 1, ARGV[1])
  return {'paused', 0, 0}
end
-- A value of another type, which was put there by hand, counts as none.
if redis.pcall('GET', KEYS[4]) == ARGV[2] then
  redis.call('DEL', KEYS[4])
end
local crashes = tonumber(redis.pcall('HGET', KEYS[6], ARGV[2])) or 0
return {'taken', redis.call('EXISTS', KEYS[5]), crashes}
