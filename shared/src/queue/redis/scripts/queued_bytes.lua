-- Adds to the count of text in jobs that wait, are in work or delayed; it stays at 0 or more, whatever was written there by hand. Goes before
-- the scripts that use it, and writes only after their first write.
local function add_queued_bytes(stats, bytes)
  local queued = tonumber(redis.pcall('HGET', stats, 'queued_bytes')) or 0
  redis.pcall('HSET', stats, 'queued_bytes', string.format('%.0f', math.max(math.max(queued, 0) + bytes, 0)))
end

