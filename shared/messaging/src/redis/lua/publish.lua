-- KEYS: stream, sizes, state of a project's feed.
-- ARGV: most messages, most bytes, seconds until a silent feed is forgotten, then messages, payload of each entry.
-- `sizes` lists id, messages, bytes of each entry kept; `state` holds t: messages ever, m: messages kept, b: bytes kept,
-- l: the newest id, f: the newest id dropped.
local stream, sizes, state = KEYS[1], KEYS[2], KEYS[3]
local function number(field) return tonumber(redis.call('HGET', state, field) or 0) end
local total, messages, bytes = number('t'), number('m'), number('b')
local last, floor
for i = 4, #ARGV, 2 do
  local count, payload = tonumber(ARGV[i]), ARGV[i + 1]
  last = redis.call('XADD', stream, '*', 's', total, 'd', payload)
  redis.call('RPUSH', sizes, last .. ' ' .. count .. ' ' .. #payload)
  total, messages, bytes = total + count, messages + count, bytes + #payload
end
while messages > tonumber(ARGV[1]) or bytes > tonumber(ARGV[2]) do
  local first = redis.call('LPOP', sizes)
  if not first then break end
  local id, count, size = first:match('^(%S+) (%d+) (%d+)$')
  redis.call('XDEL', stream, id)
  messages, bytes, floor = messages - count, bytes - size, id
end
redis.call('HSET', state, 't', total, 'm', messages, 'b', bytes, 'l', last)
if floor then redis.call('HSET', state, 'f', floor) end
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[3]) end
return last
