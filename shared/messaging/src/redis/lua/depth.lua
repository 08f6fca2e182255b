#!lua flags=no-writes
-- KEYS: stream, depth. Answers entries, the counts, the oldest entry's id ('' for none), the server's milliseconds.
local time = redis.call('TIME')
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
return {
  redis.call('XLEN', KEYS[1]),
  redis.call('HGETALL', KEYS[2]),
  first[1] and first[1][1] or '',
  time[1] * 1000 + math.floor(time[2] / 1000)
}
