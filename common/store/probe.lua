-- A write that changes nothing, by a script, as charges are: whoever refuses those refuses this (a full or read-only
-- server, a user without the right to run scripts).
return redis.call('SET', KEYS[1], ARGV[1], 'NX')
