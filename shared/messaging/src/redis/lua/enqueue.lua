-- KEYS: stream, depth. ARGV: limit of events, then project, events, payload of each entry.
-- Answers how many entries, from the first on, were added, and how many events lie in the queue now.
-- At the memory limit the first XADD is refused, and the whole script with it.
local total = tonumber(redis.call('HGET', KEYS[2], '') or 0)
local limit = tonumber(ARGV[1])
local added, accepted, sum = {}, 0, 0
for i = 2, #ARGV, 3 do
  if total >= limit then break end
  local project, events = ARGV[i], tonumber(ARGV[i + 1])
  redis.call('XADD', KEYS[1], '*', 'p', project, 'n', ARGV[i + 1], 'd', ARGV[i + 2])
  added[project] = (added[project] or 0) + events
  accepted, total, sum = accepted + 1, total + events, sum + events
end
if sum > 0 then
  redis.call('HINCRBY', KEYS[2], '', sum)
  for project, events in pairs(added) do
    if events > 0 then redis.call('HINCRBY', KEYS[2], project, events) end
  end
end
return {accepted, total}
