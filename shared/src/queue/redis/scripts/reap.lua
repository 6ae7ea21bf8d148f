-- Takes back what a dead worker holds: after a first death to the front of the queue, after a second to the back, after
-- the last to the dead list. The worker's entry stays for a while, so that what a late BLMOVE moves is found too.
-- KEYS  1 workers  2 worker-info  3 active  4 jobs  5 dead  6 crashes  7 attempts  8 stats
-- ARGV  1 worker  2 it is dead after, ms  3 it is forgotten after, ms  4 deaths a job may cause  5 length of the dead list
--       6 an entry of the dead list, still open for envelope and time
-- returns {taken back, buried}
local score = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or nil)
if not score then
  return {0, 0}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if score > now then
  -- The clock was put back: what this entry says is not to be waited for.
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('ZADD', KEYS[1], now, ARGV[1])
  return {0, 0}
end
if now - score < tonumber(ARGV[2]) then
  return {0, 0}
end
-- LTRIM changes nothing and needs no memory, and after a first write a script may complete even where Redis is full.
redis.call('LTRIM', KEYS[3], 0, -1)
local back, dead = 0, 0
while true do
  local element = redis.call('LINDEX', KEYS[3], 0)
  if not element then
    break
  end
  local parsed, envelope = pcall(cjson.decode, element)
  local id = parsed and type(envelope) == 'table' and type(envelope.id) == 'string' and envelope.id
  local deaths = id and tonumber(redis.pcall('HINCRBY', KEYS[6], id, 1)) or 1
  if deaths >= tonumber(ARGV[4]) then
    local entry = ARGV[6] .. ',"envelope":' .. element .. ',"at":' .. string.format('%.0f', now) .. '}'
    redis.call('LPUSH', KEYS[5], entry)
    redis.call('LTRIM', KEYS[5], 0, ARGV[5] - 1)
    redis.pcall('HDEL', KEYS[6], id)
    redis.pcall('HDEL', KEYS[7], id)
    redis.pcall('HINCRBY', KEYS[8], 'queued_bytes', string.format('%.0f', 0 - (tonumber(envelope.bytes) or 0)))
    redis.pcall('HINCRBY', KEYS[8], 'dead', 1)
    dead = dead + 1
  else
    redis.call(deaths == 1 and 'RPUSH' or 'LPUSH', KEYS[4], element)
    redis.pcall('HINCRBY', KEYS[8], 'reaped', 1)
    back = back + 1
  end
  redis.call('LPOP', KEYS[3])
end
if now - score >= tonumber(ARGV[3]) then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('HDEL', KEYS[2], ARGV[1])
end
return {back, dead}
