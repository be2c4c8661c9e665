-- For each hash its length and a digest of its fields, so that a poller sees any change, also one made by hand. A hash of
-- over 2000 fields is not read: its digest is gh:gen, which every change by gatectl bumps.
-- KEYS: gh:gen, then the hashes. Returns a list of texts of at most 47 bytes.
local versions = {}
local generation = redis.pcall('GET', KEYS[1])
if type(generation) ~= 'string' then generation = '0' end
for i = 2, #KEYS do
  local length = redis.pcall('HLEN', KEYS[i])
  if type(length) ~= 'number' then
    versions[i - 1] = 'no hash'
  elseif length == 0 then
    versions[i - 1] = '0'
  elseif length > 2000 then
    versions[i - 1] = string.format('%.0f', length) .. ':gen:' .. generation:sub(1, 20)
  else
    local fields = redis.call('HGETALL', KEYS[i])
    versions[i - 1] = length .. ':' .. redis.sha1hex(table.concat(fields, '\0'))
  end
end
return versions
