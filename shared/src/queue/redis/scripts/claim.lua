-- Claims the next element without waiting, even where Redis is full: jobs that get done free memory. LTRIM comes first: it changes
-- nothing and needs no memory, and after a first write a script may complete.
-- KEYS  1 active  2 jobs  3 paused
-- returns the element claimed or nil
if redis.call('EXISTS', KEYS[3]) == 1 then
  return false
end
redis.call('LTRIM', KEYS[1], 0, -1)
return redis.call('LMOVE', KEYS[2], KEYS[1], 'RIGHT', 'LEFT')
