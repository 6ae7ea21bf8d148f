-- Acknowledges a job, stores its result, and claims the next, a refresh only where no other job waits. LREM comes first: it needs no
-- memory, and after a first write a script may complete even where Redis is full.
-- KEYS  1 active  2 payload of the job  3 crashes  4 attempts  5 stats  6 jobs  7 refresh jobs  8 paused  9 sent record of the prefix
--       10.. the result's entries
-- ARGV  1 envelope  2 its id  3 channel  4 prefix  5 its bytes of text  6 1 to claim the next  7 life of the result, ms
--       8 provisional life, ms  9 how many of the entries, from the first on, are written already
--       10.. the entries' values, in the order of KEYS; those of written ones are empty
-- returns {1 if done, 0 if done again (the envelope was not in the list: another worker has it or had it), 1 if paused,
--          the envelope claimed or nil}
local mine = redis.call('LREM', KEYS[1], 1, ARGV[1])
local provisional = tonumber(ARGV[8])
local function is_provisional(left)
  return left >= 0 and left <= provisional
end
-- The job was withdrawn: its request was refused, or waits no longer.
local withdrawn = false
if mine == 1 then
  local begins = redis.pcall('GETRANGE', KEYS[2], 0, 8)
  withdrawn = begins == '' or begins == 'withdrawn'
end
-- While it is not known whether the request is refused, the result lives no longer than its record.
local life = is_provisional(redis.call('PTTL', KEYS[9])) and provisional or tonumber(ARGV[7])
for i = 10, #KEYS do
  local left = redis.call('PTTL', KEYS[i])
  if withdrawn then
    if is_provisional(left) then redis.call('UNLINK', KEYS[i]) end
  elseif i - 9 > tonumber(ARGV[9]) then
    redis.call('SET', KEYS[i], ARGV[i], 'PX', math.max(left, life))
  elseif left < life then
    redis.call('PEXPIRE', KEYS[i], life)
  end
end
if mine == 1 then
  redis.call('UNLINK', KEYS[2])
  redis.pcall('HDEL', KEYS[3], ARGV[2])
  redis.pcall('HDEL', KEYS[4], ARGV[2])
  add_queued_bytes(KEYS[5], -ARGV[5])
  redis.pcall('HINCRBY', KEYS[5], 'done', 1)
else
  redis.pcall('HINCRBY', KEYS[5], 'done_again', 1)
end
-- The job is done, even if publishing is not permitted or a key has a wrong type.
redis.pcall('PUBLISH', ARGV[3], ARGV[4])
if ARGV[6] == '0' then
  return {mine, 0, false}
end
if redis.call('EXISTS', KEYS[8]) == 1 then
  return {mine, 1, false}
end
local next = redis.pcall('LMOVE', KEYS[6], KEYS[1], 'RIGHT', 'LEFT') or redis.pcall('LMOVE', KEYS[7], KEYS[1], 'RIGHT', 'LEFT')
return {mine, 0, type(next) == 'string' and next}
