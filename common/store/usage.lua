-- What counts now in each of these usage keys (their names end in LIMIT.WIDTH.24), for `gatectl top`.
-- KEYS: usage. ARGV: Unix ms (empty: the clock of Redis). Returns a list of texts.
local CELLS = 24
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local result = {}
for i = 1, #KEYS do
  local window = tonumber(KEYS[i]:match('%.(%d+)%.24$'))
  local cells = redis.pcall('HGETALL', KEYS[i])
  local used = 0
  if window and window > 0 and not cells.err then
    local bucket = math.floor(now * CELLS / window)
    for c = 1, #cells, 2 do
      local b, n = tonumber(cells[c]), tonumber(cells[c + 1])
      if b and n and b >= bucket - CELLS then used = used + n end
    end
  end
  result[i] = string.format('%.0f', used)
end
return result
