-- Offers a job to the queue.
-- KEYS  1 jobs  2 pending of the prefix  3 payload of the prefix  4 stats
-- ARGV  1 envelope  2 its id  3 payload  4 how many may wait  5 payload's life, ms  6 pending's life, ms
-- returns 0 queued, 1 coalesced, 2 dropped
if redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('SET', KEYS[3], ARGV[3], 'PX', ARGV[5])
  redis.call('HINCRBY', KEYS[4], 'coalesced', 1)
  return 1
end
if redis.call('LLEN', KEYS[1]) >= tonumber(ARGV[4]) then
  redis.call('HINCRBY', KEYS[4], 'dropped_full', 1)
  return 2
end
redis.call('SET', KEYS[3], ARGV[3], 'PX', ARGV[5])
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[6])
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('HINCRBY', KEYS[4], 'enqueued', 1)
return 0
