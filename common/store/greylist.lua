-- Sees one triplet of greylisting: judges it and remembers it, one step, one round trip (store.h has the rules).
-- An origin is a hash: `passed`, how many of its triplets have passed, forgotten at `passed_until`; `seen`, how many were new
-- in the window that ends at `seen_until`. A triplet is a text: "W first" while it waits, "P until" when it has passed.
-- KEYS: the origin, the triplet, the entry that it shares in a crowd.
-- ARGV: Unix ms (empty: the clock of Redis), 1 to only look, delay, window and expiry of the triplet in ms, how many must
--   pass before the origin is known (0: never), expiry of that in ms, how many new triplets make a crowd.
-- Returns "new left crowded" (or early, passed, known): left in ms, crowded 0 or 1.
local call, tonumber, format = redis.call, tonumber, string.format
local peek = ARGV[2] == '1'
local delay, window, expiry = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local after, after_expiry, most = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])

local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local function number(n) return format('%.0f', n) end
local function answer(word, left, crowded) return format('%s %.0f %d', word, left, crowded) end

local origin = call('HMGET', KEYS[1], 'passed', 'passed_until', 'seen', 'seen_until')
local passed, passed_until = tonumber(origin[1]) or 0, tonumber(origin[2]) or 0
local seen, seen_until = tonumber(origin[3]) or 0, tonumber(origin[4]) or 0
if passed_until <= now then passed = 0 end
if seen_until <= now then seen, seen_until = 0, now + window end

local function keep_origin()
  call('HSET', KEYS[1], 'passed', number(passed), 'passed_until', number(passed_until),
       'seen', number(seen), 'seen_until', number(seen_until))
  local ends = math.max(passed > 0 and passed_until or 0, seen > 0 and seen_until or 0)
  call('PEXPIRE', KEYS[1], number(math.max(ends - now, 1)))
end

if after > 0 and passed >= after then
  if not peek then
    passed_until = now + after_expiry
    keep_origin()
  end
  return answer('known', 0, 0)
end

-- W or P and its time; nothing when it was not seen or too long ago.
local function read(key)
  local state, at = string.match(call('GET', key) or '', '^([WP]) (%d+)$')
  at = tonumber(at)
  if state == 'W' and now - at < delay + window then return state, at end
  if state == 'P' and now < at then return state, at end
end

local key, crowded = KEYS[2], 0
local state, at = read(key)
if not state and seen >= most then
  key, crowded = KEYS[3], 1
  state, at = read(key)
end

if not state then
  if not peek then
    call('SET', key, 'W ' .. number(now), 'PX', number(delay + window))
    if crowded == 0 then
      seen = seen + 1
      keep_origin()
    end
  end
  return answer('new', delay, crowded)
end

local age = state == 'W' and math.max(now - at, 0) or 0
if state == 'W' and age < delay then
  if not peek then call('PEXPIRE', key, number(delay + window - age)) end
  return answer('early', delay - age, crowded)
end

if not peek then
  call('SET', key, 'P ' .. number(now + expiry), 'PX', number(expiry))
  if state == 'W' and crowded == 0 and after > 0 then
    passed = passed + 1
    passed_until = now + after_expiry
    keep_origin()
  end
end
return answer('passed', 0, crowded)
