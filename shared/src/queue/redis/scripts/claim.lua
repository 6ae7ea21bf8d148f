-- Claims the next element without waiting, a refresh only where no other job waits, and even where Redis is full: jobs that get done free
-- memory. LTRIM comes first: it changes nothing and needs no memory, and after a first write a script may complete.
-- KEYS  1 active  2 jobs  3 refresh jobs  4 paused
-- returns the element claimed or nil
if redis.call('EXISTS', KEYS[4]) == 1 then
  return false
end
redis.call('LTRIM', KEYS[1], 0, -1)
return redis.call('LMOVE', KEYS[2], KEYS[1], 'RIGHT', 'LEFT') or redis.call('LMOVE', KEYS[3], KEYS[1], 'RIGHT', 'LEFT')
