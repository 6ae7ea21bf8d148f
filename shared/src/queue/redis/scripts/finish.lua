-- Ends a job and stores what it made. LREM comes first: it needs no memory, and after a first write a script may complete
-- even where Redis is full.
-- KEYS  1 active  2 payload of the job  3 crashes  4 attempts  5 stats  6.. entries to write
-- ARGV  1 envelope  2 its id  3 channel  4 prefix  5 the entries' life, ms  6.. the entries' values, in the order of KEYS
-- returns 1 done, 0 done again (the envelope was not in the list: another worker has it or had it)
local mine = redis.call('LREM', KEYS[1], 1, ARGV[1])
for i = 6, #KEYS do
  redis.call('SET', KEYS[i], ARGV[i], 'PX', ARGV[5])
end
if mine == 1 then
  redis.call('DEL', KEYS[2])
  redis.call('HDEL', KEYS[3], ARGV[2])
  redis.call('HDEL', KEYS[4], ARGV[2])
  redis.call('HINCRBY', KEYS[5], 'done', 1)
else
  redis.call('HINCRBY', KEYS[5], 'done_again', 1)
end
-- A notice may get lost, so one that is not permitted is no failure.
redis.pcall('PUBLISH', ARGV[3], ARGV[4])
return mine
