-- Counts a job as dropped before it is built, if the list that it would be pushed to is full.
-- KEYS  1 jobs or refresh jobs  2 stats
-- ARGV  1 how many may wait
-- returns 1 if it was counted, 0 if the list has room
if redis.call('LLEN', KEYS[1]) < tonumber(ARGV[1]) then
  return 0
end
redis.pcall('HINCRBY', KEYS[2], 'dropped_full', 1)
return 1
