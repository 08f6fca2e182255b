#!lua flags=allow-oom
-- KEYS: stream. ARGV: group, consumer, least idle milliseconds, cursor, count.
-- Answers the next cursor and, of each entry taken over, its id, its attempts with this one, its fields.
local claimed = redis.call('XAUTOCLAIM', KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], 'COUNT', ARGV[5])
local entries = {}
for i, entry in ipairs(claimed[2]) do
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], entry[1], entry[1], 1)
  entries[i] = {entry[1], pending[1] and pending[1][4] or 1, entry[2]}
end
return {claimed[1], entries}
