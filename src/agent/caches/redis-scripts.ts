/**
 * What Redis does in one step, in its own time (from Redis 5 on a script may write after `TIME`).
 *
 * ```
 * dewy:entry:<key>                        hash: value, version, at (ms)
 * dewy:artifact:<digest>                  hash: id, size, chunks
 * dewy:artifact:<digest>:<id>:<number>    one chunk
 * dewy:artifacts                          sorted set of digests, by when they were last used (ms)
 * ```
 */
const now = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
`;

/** KEYS: entry. → value, version, age in ms; nothing when there is none. */
export const readEntry = `${now}
local kind = redis.call('TYPE', KEYS[1]).ok
if kind == 'none' then return false end
if kind ~= 'hash' then return {'', 'foreign', '0'} end
local found = redis.call('HMGET', KEYS[1], 'value', 'version', 'at')
local age = math.max(0, now - (tonumber(found[3] or '') or now))
return {found[1] or '', found[2] or 'foreign', string.format('%.0f', age)}
`;

/** KEYS: entry. ARGV: value, wanted version, new version, life in ms. → whether it was written. */
export const writeEntry = `${now}
local kind = redis.call('TYPE', KEYS[1]).ok
local current = 'absent'
if kind == 'hash' then current = redis.call('HGET', KEYS[1], 'version') or 'foreign' end
if kind ~= 'hash' and kind ~= 'none' then current = 'foreign' end
if ARGV[2] ~= 'any' and ARGV[2] ~= current then return 0 end
if current == 'foreign' then redis.call('DEL', KEYS[1]) end
local at = string.format('%.0f', now)
redis.call('HSET', KEYS[1], 'value', ARGV[1], 'version', ARGV[3], 'at', at)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1
`;

const drop = `
local function drop(digest)
  local name = 'dewy:artifact:' .. digest
  local found = redis.call('HMGET', name, 'id', 'chunks')
  for number = 0, (tonumber(found[2] or '') or 0) - 1 do
    redis.call('UNLINK', name .. ':' .. found[1] .. ':' .. number)
  end
  redis.call('DEL', name)
  redis.call('ZREM', 'dewy:artifacts', digest)
end
`;

const touch = `
local function touch(digest, id, chunks, life)
  local name = 'dewy:artifact:' .. digest
  local whole = true
  for number = 0, chunks - 1 do
    local kept = redis.call('PEXPIRE', name .. ':' .. id .. ':' .. number, life)
    whole = whole and kept == 1
  end
  redis.call('PEXPIRE', name, life)
  redis.call('ZADD', 'dewy:artifacts', string.format('%.0f', now), digest)
  return whole
end
`;

/** ARGV: digest. */
export const dropArtifact = `${drop}
drop(ARGV[1])
return 1
`;

/** ARGV: digest, life in ms. → id, size; nothing when it is not there with all its chunks. */
export const useArtifact = `${now}${drop}${touch}
local found = redis.call('HMGET', 'dewy:artifact:' .. ARGV[1], 'id', 'size', 'chunks')
if not found[1] then return false end
if not touch(ARGV[1], found[1], tonumber(found[3]), ARGV[2]) then
  drop(ARGV[1])
  return false
end
return {found[1], found[2]}
`;

/**
 * ARGV: digest, life in ms, id, size, chunks, most bytes in all. Gives chunks that are all there
 * their name, and makes room for them, the least lately used first. → whether they were.
 */
export const keepArtifact = `${now}${drop}${touch}
local name = 'dewy:artifact:' .. ARGV[1]
if redis.call('HGET', name, 'id') ~= ARGV[3] then drop(ARGV[1]) end
redis.call('HSET', name, 'id', ARGV[3], 'size', ARGV[4], 'chunks', ARGV[5])
if not touch(ARGV[1], ARGV[3], tonumber(ARGV[5]), ARGV[2]) then
  drop(ARGV[1])
  return 0
end
local digests = redis.call('ZREVRANGE', 'dewy:artifacts', 0, -1)
local total = tonumber(ARGV[4])
for _, digest in ipairs(digests) do
  if digest ~= ARGV[1] then
    local size = tonumber(redis.call('HGET', 'dewy:artifact:' .. digest, 'size') or '')
    total = total + (size or 0)
    if not size or total > tonumber(ARGV[6]) then
      drop(digest)
      total = total - (size or 0)
    end
  end
end
return 1
`;
