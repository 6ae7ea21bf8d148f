-- Writes entries and gives each its life, or leaves it the one it has if that is longer; passes over those that the store holds at a
-- higher revision.
--
-- KEYS[i]        key of entry i
-- ARGV[1]        full life in milliseconds
-- ARGV[2]        until when they are wanted, in milliseconds by this server's clock; empty: whenever
-- ARGV[3 * i]    revision of entry i; empty: written without a comparison
-- ARGV[3 * i + 1] life of entry i in milliseconds; empty: the full one
-- ARGV[3 * i + 2] value of entry i
--
-- Returns how many entries were written; -1 when they come too late to be.

if ARGV[2] ~= '' then
  local time = redis.call('TIME')
  if time[1] * 1000 + math.floor(time[2] / 1000) >= tonumber(ARGV[2]) then return -1 end
end

local function stored_revision(key)
  local got, value = pcall(redis.call, 'GET', key)
  if not got or not value then return 0 end
  local decoded, record = pcall(cjson.decode, value)
  if decoded and type(record) == 'table' and type(record.rev) == 'number' then return record.rev end
  return 0
end

-- Everything that may fail is read before the first write, so that all entries are written or none.
local due, lives = {}, {}
for i, key in ipairs(KEYS) do
  local revision, life = ARGV[3 * i], ARGV[3 * i + 1]
  if revision == '' or stored_revision(key) <= tonumber(revision) then
    due[#due + 1] = i
    if life == '' then
      lives[i] = ARGV[1]
    else
      local left = redis.call('PTTL', key)
      lives[i] = left > tonumber(life) and left or life
    end
  end
end
for _, i in ipairs(due) do
  redis.call('SET', KEYS[i], ARGV[3 * i + 2], 'PX', lives[i])
end
return #due
