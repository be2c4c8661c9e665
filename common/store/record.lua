-- What charge.lua and transaction.lua have in common; stands before each of them.

-- What is charged for one recipient alone stands in gh:rcpt: besides, under the name of the instance, which the record says,
-- too: so nothing has to be moved when there is a queue id. at, charges: as record() has them. False: there is no room for it.
local function remember_recipient(key, at, charges)
  local call, pcall = redis.call, redis.pcall
  local texts = {}
  for _, charge in ipairs(charges) do
    if charge[3] then texts[#texts + 1] = string.format('%s %.0f', charge[1], charge[2]) end
  end
  local recipient, own = ARGV[at + 2], 'gh:rcpt:' .. key:sub(7)
  if recipient == '' or #texts == 0 then return true end
  local size, before = pcall('HLEN', own), pcall('HMGET', own, recipient)[1]
  if before then table.insert(texts, 1, before) end
  local text = table.concat(texts, ' ')
  if type(size) ~= 'number' or #text > 4096 or (not before and size >= tonumber(ARGV[at + 3])) then return false end
  call('HSET', own, recipient, text)
  call('PEXPIRE', own, ARGV[at])
  return true
end

-- Writes a transaction record (common/store/transaction.h has its fields), and into it an early one that ends with this.
-- at: where in ARGV its part begins: ms to live, most fields, the recipient (or nothing), most recipients, number n of texts,
--   n names and texts.
-- charges: a list of { field, amount, true if it is the recipient's alone }, added to those that are there; those beyond the
--   most fields are counted in `cut`.
-- Returns W; C when charges were cut; N when something else has this key. What was put there by hand is no reason to fail.
local function record(key, early, at, charges)
  local call, pcall = redis.call, redis.pcall
  local most = tonumber(ARGV[at + 1])
  local fields = {}
  local old = early and pcall('HGETALL', early) or {}
  for i = 1, #old, 2 do
    if old[i]:sub(1, 5) == 'gh:q:' then
      charges[#charges + 1] = { old[i], tonumber(old[i + 1]) or 0 }
    elseif #fields < 2 * most then
      fields[#fields + 1] = old[i]
      fields[#fields + 1] = old[i + 1]
    end
  end
  if #old > 0 then call('UNLINK', early) end
  for i = at + 5, at + 4 + 2 * tonumber(ARGV[at + 4]) do fields[#fields + 1] = ARGV[i] end
  if type(pcall('HSET', key, unpack(fields))) ~= 'number' then return 'N' end
  local cut = 0
  for _, charge in ipairs(charges) do
    if call('HLEN', key) < most or call('HMGET', key, charge[1])[1] then
      pcall('HINCRBY', key, charge[1], string.format('%.0f', charge[2]))
    else
      cut = cut + 1
    end
  end
  if cut > 0 then pcall('HINCRBY', key, 'cut', cut) end
  call('PEXPIRE', key, ARGV[at])
  return remember_recipient(key, at, charges) and cut == 0 and 'W' or 'C'
end
