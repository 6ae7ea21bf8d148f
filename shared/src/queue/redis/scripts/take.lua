-- Takes up an element that stands in this worker's active list.
-- KEYS  1 active  2 jobs  3 paused  4 pending of the prefix  5 payload of the prefix  6 compressed prefix  7 crashes
-- ARGV  1 envelope  2 its id
-- returns {what, payload or nil, 1 if the prefix has a result already, crashes}; what is 'taken', 'gone' (it stands there no
--         more) or 'paused' (it went back to the front of the queue)
if not redis.call('LPOS', KEYS[1], ARGV[1]) then
  return {'gone', false, 0, 0}
end
if redis.call('EXISTS', KEYS[3]) == 1 then
  redis.call('LREM', KEYS[1], 1, ARGV[1])
  redis.call('RPUSH', KEYS[2], ARGV[1])
  return {'paused', false, 0, 0}
end
redis.call('DEL', KEYS[4])
local crashes = tonumber(redis.call('HGET', KEYS[7], ARGV[2]) or 0)
return {'taken', redis.call('GET', KEYS[5]), redis.call('EXISTS', KEYS[6]), crashes}
