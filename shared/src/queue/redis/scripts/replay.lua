-- Moves a dead letter to the back of the queue, with its payload and its attempts unused. PEXPIRE comes first: it needs no memory, and after a
-- first write a script may complete even where Redis is full.
-- KEYS  1 dead  2 jobs  3 pending of the prefix  4 payload of the job  5 crashes  6 attempts  7 stats
-- ARGV  1 its entry in the dead-letter list  2 envelope  3 its id  4 payload's life, ms  5 pending's life, ms
--       6 the job's bytes of text
-- returns 'replayed', 'gone' (it is not in the dead-letter list any more) or 'no payload'
if not redis.call('LPOS', KEYS[1], ARGV[1], 'RANK', -1) then
  return 'gone'
end
if redis.call('PEXPIRE', KEYS[4], ARGV[4]) == 0 then
  return 'no payload'
end
redis.call('LPUSH', KEYS[2], ARGV[2])
redis.call('LREM', KEYS[1], -1, ARGV[1])
-- If an envelope of the same prefix waits, newer pushes go on replacing that one's payload.
redis.pcall('SET', KEYS[3], ARGV[3], 'PX', ARGV[5], 'NX')
redis.pcall('HDEL', KEYS[5], ARGV[3])
redis.pcall('HDEL', KEYS[6], ARGV[3])
add_queued_bytes(KEYS[7], ARGV[6])
return 'replayed'
