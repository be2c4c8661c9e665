-- Connections at the same time: what one process counts, for some subjects; one step.
-- A subject is a hash: a process -> "count ends number": its connections, until when that holds (Unix ms), and the number of
-- its last word, for words of one process may overtake each other. A process that ends, or dies, leaves what ends by itself.
-- KEYS: the subjects.
-- ARGV: Unix ms (empty: the clock of Redis), ms that a word holds, the process; then for each subject: count, number.
-- Returns "total total ...": connections of all processes.
local call, pcall, tonumber, format = redis.call, redis.pcall, tonumber, string.format
local holds, me = tonumber(ARGV[2]), ARGV[3]

local now = tonumber(ARGV[1])
if not now then
  local time = call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local totals = {}
for k, key in ipairs(KEYS) do
  local count, number = tonumber(ARGV[2 + 2 * k]), tonumber(ARGV[3 + 2 * k])
  local total = 0
  local all = pcall('HGETALL', key)
  if all.err then
    call('UNLINK', key) -- somebody put something else there
    all = {}
  end
  for i = 1, #all, 2 do
    local theirs, ends, last = all[i + 1]:match('^(%d+) (%d+) (%d+)$')
    if all[i] == me then
      if last and tonumber(last) > number then count, number = tonumber(theirs), tonumber(last) end
    elseif ends and tonumber(ends) > now then
      total = total + tonumber(theirs)
    else
      call('HDEL', key, all[i])
    end
  end
  call('HSET', key, me, format('%.0f %.0f %.0f', count, now + holds, number))
  call('PEXPIRE', key, format('%.0f', holds))
  totals[k] = format('%.0f', total + count)
end
return table.concat(totals, ' ')
