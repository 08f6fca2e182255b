#!lua flags=allow-oom
-- KEYS: stream, depth. ARGV: group, then id, events, project of each entry.
-- Only what is really deleted here is uncounted, so that acknowledging twice, by whomever, counts once.
local gone = {}
for i = 2, #ARGV, 3 do
  redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])
  if redis.call('XDEL', KEYS[1], ARGV[i]) == 1 then
    local events, project = tonumber(ARGV[i + 1]), ARGV[i + 2]
    if events > 0 then
      gone[project] = (gone[project] or 0) + events
      gone[''] = (gone[''] or 0) + events
    end
  end
end
for project, events in pairs(gone) do
  if redis.call('HINCRBY', KEYS[2], project, -events) <= 0 then redis.call('HDEL', KEYS[2], project) end
end
return 1
