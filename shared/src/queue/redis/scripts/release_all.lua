-- Moves all elements that a stopping worker holds to the front of the queue, in the order in which it was claimed. LTRIM comes first:
-- it changes nothing and needs no memory, and after a first write a script may complete even where Redis is full.
-- KEYS  1 active  2 jobs
-- returns how many
redis.call('LTRIM', KEYS[1], 0, -1)
local back = 0
while redis.call('LMOVE', KEYS[1], KEYS[2], 'LEFT', 'RIGHT') do
  back = back + 1
end
return back
