-- Writes several fields of a hash, if all of them are as the caller read them: one step, one round trip. A field that has its
-- new text already is as good, for a call whose connection broke before the answer is sent again.
-- KEYS: the hash, gh:gen.
-- ARGV: for each field: its name, 1 if it was there (otherwise empty), what it was, its new text.
-- Returns 1 if they are written, 0 if something else was there: nothing is changed then.
local call = redis.call
for i = 1, #ARGV, 4 do
  local now = call('HMGET', KEYS[1], ARGV[i])[1]
  local was = ARGV[i + 1] == '1' and ARGV[i + 2]
  if now ~= was and now ~= ARGV[i + 3] then return 0 end
end
for i = 1, #ARGV, 4 do
  call('HSET', KEYS[1], ARGV[i], ARGV[i + 3])
end
redis.pcall('INCR', KEYS[2])
return 1
