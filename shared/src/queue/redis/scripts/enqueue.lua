-- Pushes a job.
-- KEYS  1 jobs or refresh jobs  2 pending of the prefix  3 payload of the job  4 stats
-- ARGV  1 envelope  2 its id  3 payload  4 how many may wait in that list  5 payload's life, ms  6 pending's life, ms
--       7 the job's bytes of text  8 bytes of text that all jobs which are not done may have with this one
-- returns {'queued'}, {'dropped'}, or {'pending', id of the envelope of the same prefix that waits}
local pending = redis.call('GET', KEYS[2])
if pending then
  return {'pending', pending}
end
local waiting = redis.call('LLEN', KEYS[1])
local queued = tonumber(redis.pcall('HGET', KEYS[4], 'queued_bytes')) or 0
if waiting >= tonumber(ARGV[4]) or (waiting > 0 and queued + ARGV[7] > tonumber(ARGV[8])) then
  redis.pcall('HINCRBY', KEYS[4], 'dropped_full', 1)
  return {'dropped'}
end
redis.call('SET', KEYS[3], ARGV[3], 'PX', ARGV[5])
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[6])
redis.call('LPUSH', KEYS[1], ARGV[1])
add_queued_bytes(KEYS[4], ARGV[7])
redis.pcall('HINCRBY', KEYS[4], 'enqueued', 1)
return {'queued'}
