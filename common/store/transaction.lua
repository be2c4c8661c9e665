-- Transaction records: written, told a verdict, charges given back; one step each. Behind record.lua.
-- KEYS: the record; to write: then an early one that becomes part of it, if there is one.
-- ARGV: `write`, number m of charges, m fields and amounts, then as record.lua says. Returns what that returns.
-- ARGV: `tell` or `refund`, 1 to compare the sender, the sender, a field and its text (an empty field: none); of a refund then,
--   perhaps, recipients: only what was charged for these is given back. Returns N when there is no such record, or "F repeated
--   uses": repeated 1, it was given back before; uses, how many are given back now.
-- Usage counters and what is known of recipients are known by the record alone, so they are not in KEYS. What is charged after a
-- refund stays charged.
local call, pcall, tonumber, format = redis.call, redis.pcall, tonumber, string.format
local key = KEYS[1]

if ARGV[1] == 'write' then
  local charges, count = {}, tonumber(ARGV[2])
  for i = 1, count do charges[i] = { ARGV[1 + 2 * i], tonumber(ARGV[2 + 2 * i]) } end
  return record(key, KEYS[2], 3 + 2 * count, charges)
end

local all = pcall('HGETALL', key)
if #all == 0 then return 'N' end
local is = {}
for i = 1, #all, 2 do is[all[i]] = all[i + 1] end
if ARGV[2] == '1' and is.sender ~= ARGV[3] then return 'N' end
if ARGV[4] ~= '' then call('HSET', key, ARGV[4], ARGV[5]) end
if ARGV[1] ~= 'refund' then return 'F 0 0' end
if is.refunded then return 'F 1 0' end

-- True: there was something to give back. A counter that is gone stays so: its window is over.
local function give_back(counter, bucket, amount)
  local there = tonumber(pcall('HMGET', counter, bucket)[1])
  if not there or there <= 0 or amount <= 0 then return false end
  if amount >= there then
    call('HDEL', counter, bucket)
  else
    call('HINCRBY', counter, bucket, format('-%.0f', amount))
  end
  return true
end

local uses = 0
local own = 'gh:rcpt:{' .. (is.instance or '') .. '/' .. (key:match('/([^/}]*)}$') or '') .. '}'

-- What is given back for one recipient the record does not say any more, so that it is not given back again with the rest.
local function forget(charge, amount)
  local left = tonumber(is[charge])
  if not left then return end
  is[charge] = left - amount
  if left > amount then
    call('HSET', key, charge, format('%.0f', left - amount))
  else
    call('HDEL', key, charge)
  end
end

for i = 6, #ARGV do
  local text = pcall('HMGET', own, ARGV[i])[1]
  if text then
    call('HDEL', own, ARGV[i])
    for counter, bucket, amount in text:gmatch('(gh:q:{[^{}]*}:[^ ]+) (%d+) (%d+)') do
      forget(counter .. ' ' .. bucket, tonumber(amount))
      if give_back(counter, bucket, tonumber(amount)) then uses = uses + 1 end
    end
  end
end
if #ARGV > 5 then return 'F 0 ' .. uses end

call('HSET', key, 'refunded', '1')
call('UNLINK', own)
for name, text in pairs(is) do
  local counter, bucket = name:match('^(gh:q:{[^{}]*}:[^ ]+) (%d+)$')
  local amount = tonumber(text)
  if counter and amount and give_back(counter, bucket, amount) then uses = uses + 1 end
end
return 'F 0 ' .. uses
