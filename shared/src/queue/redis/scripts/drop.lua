-- Deletes a job that is not running, with all that belongs to it.
-- KEYS  1 jobs  2 refresh jobs  3 delayed  4 dead  5 pending of the prefix  6 payload of the job  7 crashes  8 attempts  9 stats
-- ARGV  1 the element to delete: its envelope, or its entry in the dead-letter list  2 its id  3 its bytes of text
-- returns 'waiting', 'delayed' or 'dead', by where it was, or 'gone' (it is in none of them any more)
local was
if redis.call('LREM', KEYS[1], 0, ARGV[1]) + redis.call('LREM', KEYS[2], 0, ARGV[1]) > 0 then
  was = 'waiting'
elseif redis.call('ZREM', KEYS[3], ARGV[1]) == 1 then
  was = 'delayed'
elseif redis.call('LREM', KEYS[4], 0, ARGV[1]) > 0 then
  was = 'dead'
else
  return 'gone'
end
redis.call('UNLINK', KEYS[6])
if redis.pcall('GET', KEYS[5]) == ARGV[2] then
  redis.call('DEL', KEYS[5])
end
redis.pcall('HDEL', KEYS[7], ARGV[2])
redis.pcall('HDEL', KEYS[8], ARGV[2])
-- The text of dead letters is not counted.
if was ~= 'dead' then
  add_queued_bytes(KEYS[9], -ARGV[3])
end
return was
