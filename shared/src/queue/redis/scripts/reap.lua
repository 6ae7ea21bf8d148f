-- Takes back the jobs of a dead worker: after a job's first worker death to the front of the queue, after further ones to the back,
-- after the last to the dead-letter list. The worker stays registered for a while, so that a job is found that a late BLMOVE moves.
-- KEYS  1 workers  2 worker-info  3 active  4 jobs  5 dead  6 crashes  7 attempts  8 stats
-- ARGV  1 worker  2 it is dead after, ms  3 it is forgotten after, ms  4 worker deaths that a job may have  5 length of the dead-letter list
--       6 JSON of an entry of that list without its end: envelope and time are added
-- returns {how many went back to the queue, how many to the dead-letter list}
local score = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or nil)
if not score then
  return {0, 0}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if score > now then
  -- The clock was set back: begin again with the present time.
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
    add_queued_bytes(KEYS[8], -(tonumber(envelope.bytes) or 0))
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
