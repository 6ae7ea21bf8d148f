-- Pauses the queue; an earlier pause stays as it is. DEL comes first: it needs no memory, and after a first write a script may
-- complete even where Redis is full.
-- KEYS  1 paused
-- ARGV  1 JSON to write there without its end: the time is added
-- returns {now in ms, the earlier value or nil}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local before = redis.call('GET', KEYS[1])
if not before then
  redis.call('DEL', KEYS[1])
  redis.call('SET', KEYS[1], ARGV[1] .. ',"at":' .. string.format('%.0f', now) .. '}')
end
return {now, before}
