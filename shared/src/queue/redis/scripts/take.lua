-- Takes up an element that stands in this worker's active list.
-- KEYS  1 active  2 jobs  3 paused  4 pending of the prefix  5 payload of the job  6 compressed prefix  7 crashes
-- ARGV  1 envelope  2 its id
-- returns {what, payload or nil, 1 if the prefix has a result already, crashes}; what is 'taken', 'gone' (it stands there no
--         more) or 'paused' (it went back to the front of the queue)

-- A value of another type, which something else has put there, is as good as none.
local function get(key)
  local value = redis.pcall('GET', key)
  return type(value) == 'string' and value
end

if not redis.call('LPOS', KEYS[1], ARGV[1]) then
  return {'gone', false, 0, 0}
end
if redis.call('EXISTS', KEYS[3]) == 1 then
  redis.call('LREM', KEYS[1], 1, ARGV[1])
  redis.call('RPUSH', KEYS[2], ARGV[1])
  return {'paused', false, 0, 0}
end
if get(KEYS[4]) == ARGV[2] then
  redis.call('DEL', KEYS[4])
end
local crashes = tonumber(redis.call('HGET', KEYS[7], ARGV[2]) or 0)
return {'taken', get(KEYS[5]), redis.call('EXISTS', KEYS[6]), crashes}
