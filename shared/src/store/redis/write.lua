-- Writes entries and gives each a full life; passes over those that the store holds at a higher revision.
--
-- KEYS[i]        key of entry i
-- ARGV[1]        life in milliseconds
-- ARGV[2]        until when they are wanted, in milliseconds by this server's clock; empty: whenever
-- ARGV[2 * i + 1] revision of entry i; empty: written without a comparison
-- ARGV[2 * i + 2] value of entry i
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
local due = {}
for i, key in ipairs(KEYS) do
  local revision = ARGV[2 * i + 1]
  if revision == '' or stored_revision(key) <= tonumber(revision) then due[#due + 1] = i end
end
for _, i in ipairs(due) do
  redis.call('SET', KEYS[i], ARGV[2 * i + 2], 'PX', ARGV[1])
end
return #due
