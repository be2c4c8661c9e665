-- Adds what a host admitted while it could not ask, without a check, once: buckets that have left their window are left
-- out, and nothing is added when the charge with this name was admitted here before.
-- KEYS: the usage of each use; then the remembered charge, when it has a name.
-- ARGV: Unix ms (empty: the clock of Redis), number of uses, ms to remember, what to remember; then for each use: window in
--   ms, bucket, amount.
-- Returns 1 if it was added, 0 if it was here before. What somebody has put in a counter's place is no reason to fail: half
-- of the uses would have been added, and would be again.
local call, pcall, floor, format = redis.call, redis.pcall, math.floor, string.format
local CELLS, MOST = 24, 9007199254740992
local uses = tonumber(ARGV[2])
local once = KEYS[uses + 1]
local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] * 1000 + floor(time[2] / 1000)
end
if once then
  local first = call('GET', once)
  if first and first:sub(1, 1) == 'A' then return 0 end
end
for u = 1, uses do
  local key = KEYS[u]
  local window, bucket, amount =
    tonumber(ARGV[2 + 3 * u]), tonumber(ARGV[3 + 3 * u]), tonumber(ARGV[4 + 3 * u])
  local newest = floor(now * CELLS / window)
  if bucket >= newest - CELLS and bucket <= newest + CELLS and amount > 0 then
    local field = format('%.0f', bucket)
    local total = pcall('HINCRBY', key, field, format('%.0f', amount))
    if type(total) ~= 'number' then
      pcall('HSET', key, field, format('%.0f', amount))
    elseif total > MOST then
      call('HSET', key, field, format('%.0f', MOST))
    end
    call('PEXPIRE', key, format('%.0f', math.ceil((newest + CELLS + 2) * window / CELLS) - now))
  end
end
if once then call('SET', once, ARGV[4], 'PX', ARGV[3]) end
return 1
