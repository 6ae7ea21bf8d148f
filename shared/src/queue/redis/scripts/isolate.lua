-- Gives a job that took too long back to the end of the queue, counted like one that was held at a worker's death. LTRIM comes first: it
-- changes nothing and needs no memory, and after a first write a script may complete even where Redis is full.
-- KEYS  1 active  2 jobs  3 crashes  4 stats
-- ARGV  1 envelope  2 its id
-- returns 1 if it was moved, 0 if this worker does not hold it any more
if not redis.call('LPOS', KEYS[1], ARGV[1]) then
  return 0
end
redis.call('LTRIM', KEYS[1], 0, -1)
redis.pcall('HINCRBY', KEYS[3], ARGV[2], 1)
redis.call('LPUSH', KEYS[2], ARGV[1])
redis.call('LREM', KEYS[1], 1, ARGV[1])
redis.pcall('HINCRBY', KEYS[4], 'retried', 1)
return 1
