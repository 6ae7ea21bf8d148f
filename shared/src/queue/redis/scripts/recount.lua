-- Counts the text of all jobs that wait, are in work or delayed anew, which repairs the count after changes by hand. Writes only where it
-- is wrong, and looks at no more jobs than it may.
-- KEYS  1 jobs  2 refresh jobs  3 delayed  4 stats  5 workers  6.. active lists of all workers
-- ARGV  1 how many jobs at most  2 longest envelope, bytes  3.. the workers, in the order of their active lists
-- returns 1 if the count was wrong
local workers = redis.call('ZRANGE', KEYS[5], 0, -1)
if #workers ~= #ARGV - 2 then
  return 0
end
-- A worker that came since then may hold jobs too.
local known = {}
for i = 3, #ARGV do
  known[ARGV[i]] = true
end
local jobs = redis.call('LLEN', KEYS[1]) + redis.call('LLEN', KEYS[2]) + redis.call('ZCARD', KEYS[3])
for i, worker in ipairs(workers) do
  if not known[worker] then
    return 0
  end
  jobs = jobs + redis.call('LLEN', KEYS[5 + i])
end
if jobs > tonumber(ARGV[1]) then
  return 0
end
local queued = 0
local function add(elements)
  for _, element in ipairs(elements) do
    local parsed, envelope = pcall(cjson.decode, #element <= tonumber(ARGV[2]) and element or '0')
    if parsed and type(envelope) == 'table' and type(envelope.bytes) == 'number' then
      queued = queued + math.max(envelope.bytes, 0)
    end
  end
end
add(redis.call('LRANGE', KEYS[1], 0, -1))
add(redis.call('LRANGE', KEYS[2], 0, -1))
add(redis.call('ZRANGE', KEYS[3], 0, -1))
for i = 6, #KEYS do
  add(redis.call('LRANGE', KEYS[i], 0, -1))
end
if (tonumber(redis.pcall('HGET', KEYS[4], 'queued_bytes')) or 0) == queued then
  return 0
end
redis.pcall('HSET', KEYS[4], 'queued_bytes', string.format('%.0f', queued))
return 1
