#!lua flags=allow-oom
-- KEYS: stream, depth. ARGV: group, idle milliseconds from which on a consumer is gone, most entries to look at.
-- Answers consumers deleted, entries trimmed, and whether the count was put right.
-- One step: between a look and a deletion nobody can read or acknowledge.
local group, gone, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {0, 0, redis.call('DEL', KEYS[2])}
end
local last, groups = nil, redis.call('XINFO', 'GROUPS', KEYS[1])
for _, info in ipairs(groups) do
  local fields = {}
  for i = 1, #info, 2 do fields[info[i]] = info[i + 1] end
  if fields['name'] == group then last = fields['last-delivered-id'] end
end
if not last then return {0, 0, 0} end

local consumers = 0
for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], group)) do
  local fields = {}
  for i = 1, #info, 2 do fields[info[i]] = info[i + 1] end
  if fields['pending'] == 0 and fields['idle'] > gone then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], group, fields['name'])
    consumers = consumers + 1
  end
end

-- Below the oldest pending entry all that was delivered is acknowledged; with a second group that would not be so.
local trimmed = 0
if #groups == 1 then
  local oldest = redis.call('XPENDING', KEYS[1], group)[2]
  local to = oldest and '(' .. oldest or last
  for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', to, 'COUNT', most)) do
    local project, events = '', 0
    for i = 1, #entry[2], 2 do
      if entry[2][i] == 'p' then project = entry[2][i + 1] end
      if entry[2][i] == 'n' then events = tonumber(entry[2][i + 1]) or 0 end
    end
    redis.call('XDEL', KEYS[1], entry[1])
    trimmed = trimmed + 1
    if events > 0 then
      for _, field in ipairs({project, ''}) do
        if redis.call('HINCRBY', KEYS[2], field, -events) <= 0 then redis.call('HDEL', KEYS[2], field) end
      end
    end
  end
end

local mended = 0
if redis.call('XLEN', KEYS[1]) == 0 then mended = redis.call('DEL', KEYS[2]) end
return {consumers, trimmed, mended}
