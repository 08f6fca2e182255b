#!lua flags=allow-oom
-- KEYS: stream. ARGV: group, consumer, milliseconds, then ids.
-- Only entries still in this consumer's hands: one that another took over stays with that one. JUSTID: no attempt.
for i = 4, #ARGV do
  local held = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[i], ARGV[i], 1, ARGV[2])
  if #held == 1 then
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[i], 'IDLE', ARGV[3], 'JUSTID')
  end
end
return 1
