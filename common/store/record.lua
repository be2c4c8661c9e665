-- What charge.lua and transaction.lua have in common; stands before each of them.
-- Writes a transaction record (common/store/transaction.h has its fields), and into it an early one that ends with this.
-- at: where in ARGV its part begins: ms to live, most fields, number n of texts, n names and texts.
-- charges: a list of { field, amount }, added to those that are there; those beyond the most fields are counted in `cut`.
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
  for i = at + 3, at + 2 + 2 * tonumber(ARGV[at + 2]) do fields[#fields + 1] = ARGV[i] end
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
  return cut > 0 and 'C' or 'W'
end
