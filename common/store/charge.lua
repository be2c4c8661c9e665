-- Checks all uses of one request and, if none is exceeded, charges them all: one step, one round trip.
-- A usage hash is a sliding window: fields are numbers of buckets of window/24 since 1970, values what was charged there.
-- Everything that lies in the last 24 buckets or the current one counts (common/limits/window.h has the reasons).
-- Behind record.lua.
-- KEYS: for each use its usage and its limit's overrides; then the remembered charge, when the request has a name; then the
--   transaction record, and an early one that becomes part of it, when there are such.
-- ARGV: Unix ms (empty: the clock of Redis), 1 to only look, ms to remember, number of uses, 1 when the request has a name;
--   then for each use: window in ms (0: nothing is counted), most (-1: no bound), amount, 1 to charge without a check and 0
--   to check but not to record, r when it is its recipient's alone, number of overrides n, n fields, n texts assumed; then
--   as record.lua says.
-- Returns "A now" or "O over now", each followed by " used free bucket" for each use (free: ms, -1 never); the same after
--   what record.lua returns, when the record is written, and after an R when the charge is remembered; or, when an assumed
--   text is not what is there, a list: now, then for each use the list of its texts. Texts over 1024 bytes read as "!".
local call, pcall, tonumber, floor, format = redis.call, redis.pcall, tonumber, math.floor, string.format
local CELLS, MOST = 24, 9007199254740992
local uses = tonumber(ARGV[4])
local once = ARGV[5] == '1' and KEYS[2 * uses + 1]
local peek = ARGV[2] == '1'

local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] * 1000 + floor(time[2] / 1000)
end

if once and not peek then
  local first = call('GET', once)
  if first then return 'R' .. first end
end

-- The overrides assumed: any difference ends it here.
local at, differs = 6, false
local texts, begin = {}, {}
for u = 1, uses do
  local count = tonumber(ARGV[at + 4])
  local found = {}
  begin[u] = at
  if count > 0 then
    found = pcall('HMGET', KEYS[2 * u], unpack(ARGV, at + 5, at + 4 + count))
    if found.err then
      found = {}
      for i = 1, count do found[i] = false end
    end
    for i = 1, count do
      local text = found[i]
      if text and #text > 1024 then
        text = '!'
        found[i] = text
      end
      if (text or '') ~= ARGV[at + 4 + count + i] then differs = true end
    end
  end
  texts[u] = found
  at = at + 5 + 2 * count
end
if differs then return { format('%.0f', now), unpack(texts) } end

-- What counts at this bucket, or at the newest one if that is later: a clock that goes back frees nothing.
local function measure(cells, bucket)
  local newest, used, stale = bucket, 0, nil
  for i = 1, #cells, 2 do
    local b, n = tonumber(cells[i]), tonumber(cells[i + 1])
    if not b or not n or b < bucket - CELLS then
      stale = stale or {}
      stale[#stale + 1] = cells[i]
    else
      used = used + n
      if b > newest then newest = b end
    end
  end
  return newest, used, stale
end

-- How long until `need` more are admitted: from the newest bucket on, the first that does not fit has to leave.
local function free_after(cells, bucket, window, most, need)
  if need > most then return -1 end
  local amounts, order = {}, {}
  for i = 1, #cells, 2 do
    local b, n = tonumber(cells[i]), tonumber(cells[i + 1])
    if b and n and b >= bucket - CELLS then
      order[#order + 1] = b
      amounts[b] = n
    end
  end
  table.sort(order)
  local used = 0
  for i = #order, 1, -1 do
    used = used + amounts[order[i]]
    if used + need > most then
      return math.max(0, math.ceil((order[i] + CELLS + 1) * window / CELLS) - now)
    end
  end
  return 0
end

local over
local result, plan, before = {}, {}, {}
for u = 1, uses do
  local a, key = begin[u], KEYS[2 * u - 1]
  local window, most, amount = tonumber(ARGV[a]), tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2])
  local used, free, bucket = 0, 0, 0
  if window > 0 then
    local cells, stale, newest = call('HGETALL', key), nil, nil
    bucket = floor(now * CELLS / window)
    newest, used, stale = measure(cells, bucket)
    if newest > bucket then
      bucket = newest
      newest, used, stale = measure(cells, bucket)
    end
    local more = before[key] or 0
    local need = amount > 0 and amount or 1
    if most >= 0 and used + more + need > most then
      free = free_after(cells, bucket, window, most, need)
      if ARGV[a + 3] ~= '1' and not over then over = u - 1 end
    end
    before[key] = more + amount
    plan[u] = { key, bucket, amount, window, stale }
  end
  result[u] = format(' %.0f %.0f %.0f', used, free, bucket)
end

local text
if over then
  text = format('O %d %.0f', over, now) .. table.concat(result)
else
  text = format('A %.0f', now) .. table.concat(result)
end
if peek then return text end
if not over then
  for u = 1, uses do
    local p = plan[u]
    if p and p[3] > 0 then
      local key, field, amount = p[1], format('%.0f', p[2]), p[3]
      if p[5] then call('HDEL', key, unpack(p[5])) end
      local total = pcall('HINCRBY', key, field, format('%.0f', amount))
      if type(total) ~= 'number' then -- somebody wrote there what is no whole number: no reason to end halfway
        call('HSET', key, field, format('%.0f', amount))
        total = amount
      elseif total > MOST then
        call('HSET', key, field, format('%.0f', MOST))
      end
      -- The first charge of a bucket: it counts until 25 buckets later, the key lives one longer.
      if total == amount then
        call('PEXPIRE', key, format('%.0f', math.ceil((p[2] + CELLS + 2) * p[4] / CELLS) - now))
      end
    end
  end
end
if once then call('SET', once, text, 'PX', ARGV[3]) end
local key = KEYS[2 * uses + (once and 2 or 1)]
if over or not key then return text end
local charges = {}
for u = 1, uses do
  local p = plan[u]
  local kind = ARGV[begin[u] + 3]
  if p and p[3] > 0 and (kind == '' or kind == 'r') then
    charges[#charges + 1] = { format('%s %.0f', p[1], p[2]), p[3], kind == 'r' }
  end
end
return record(key, KEYS[2 * uses + (once and 3 or 2)], at, charges) .. text
