-- Moves one element that a worker holds back to the front of the queue.
-- KEYS  1 active  2 jobs
-- ARGV  1 element
-- returns 1 if it was moved, 0 if this worker does not hold it any more
if not redis.call('LPOS', KEYS[1], ARGV[1]) then
  return 0
end
redis.call('LTRIM', KEYS[1], 0, -1)
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('LREM', KEYS[1], 1, ARGV[1])
return 1
