-- Replaces the payload of a waiting job by a newer one of the same prefix.
-- KEYS  1 pending of the prefix  2 payload of the job  3 stats
-- ARGV  1 id of the job's envelope  2 payload  3 its life, ms
-- returns 1 if it was replaced, 0 if the job does not wait any more
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
redis.pcall('HINCRBY', KEYS[3], 'coalesced', 1)
return 1
