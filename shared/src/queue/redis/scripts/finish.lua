-- Ends a job and stores what it made. LREM comes first: it needs no memory, and after a first write a script may complete
-- even where Redis is full.
-- KEYS  1 active  2 pending of the prefix  3 payload of the prefix  4 crashes  5 attempts  6 stats  7.. entries to write
-- ARGV  1 envelope  2 its id  3 channel  4 prefix  5 the entries' life, ms  6.. the entries' values, in the order of KEYS
-- returns 1 done, 0 done again (the envelope was not in the list: another worker has it or had it)
local mine = redis.call('LREM', KEYS[1], 1, ARGV[1])
for i = 7, #KEYS do
  redis.call('SET', KEYS[i], ARGV[i - 1], 'PX', ARGV[5])
end
if mine == 1 then
  -- A pending entry belongs to a newer envelope, which needs the payload.
  if redis.call('EXISTS', KEYS[2]) == 0 then
    redis.call('DEL', KEYS[3])
  end
  redis.call('HDEL', KEYS[4], ARGV[2])
  redis.call('HDEL', KEYS[5], ARGV[2])
  redis.call('HINCRBY', KEYS[6], 'done', 1)
else
  redis.call('HINCRBY', KEYS[6], 'done_again', 1)
end
-- A notice may get lost, so one that is not permitted is no failure.
redis.pcall('PUBLISH', ARGV[3], ARGV[4])
return mine
