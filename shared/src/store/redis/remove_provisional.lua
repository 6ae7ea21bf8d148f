-- Deletes entries that nobody has given a full life.
--
-- KEYS    keys of the entries
-- ARGV[1] provisional life in milliseconds
for _, key in ipairs(KEYS) do
  local left = redis.call('PTTL', key)
  if left >= 0 and left <= tonumber(ARGV[1]) then redis.call('UNLINK', key) end
end
