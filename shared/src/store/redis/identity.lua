-- Gives the deployment's secret and the name of the data that this server holds. Makes what of both is missing: because nothing was here
-- yet, or because it was lost.
--
-- KEYS[1]  key of the secret
-- KEYS[2]  key of the name
-- ARGV[1]  the secret where there is none; empty: nothing is made
-- ARGV[2]  the name where there is none
-- ARGV[3]  1: the caller may know of data that were lost; 0: it has just begun
--
-- Returns the secret and the name, each nil if it is not there. A name ends with since when it is there, in milliseconds by this
-- server's clock; 0: since the first start, when there was nothing that could be lost.

local secret = redis.call('GET', KEYS[1])
local name = redis.call('GET', KEYS[2])
if (secret and name) or ARGV[1] == '' then return {secret, name} end

local since = '0'
if secret or ARGV[3] == '1' then
  local time = redis.call('TIME')
  since = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
end
if not secret then
  secret = ARGV[1]
  redis.call('SET', KEYS[1], secret)
end
if not name then
  name = ARGV[2] .. ' ' .. since
  -- A full server takes no name: it does without until there is room.
  local set = redis.pcall('SET', KEYS[2], name)
  if set.err then name = false end
end
return {secret, name}
