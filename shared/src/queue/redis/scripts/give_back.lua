-- Moves all that a stopping worker holds to the front of the queue, in the order in which it was claimed.
-- KEYS  1 active  2 jobs
-- returns how many
local back = 0
while true do
  local element = redis.call('LPOP', KEYS[1])
  if not element then
    return back
  end
  redis.call('RPUSH', KEYS[2], element)
  back = back + 1
end
