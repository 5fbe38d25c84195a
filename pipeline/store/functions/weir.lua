#!lua name=weir
-- weir functions version 1
--
-- weir_card: a card in words, for people with redis-cli and for programs that do not know the pages' layout
-- (docs/formats.md, "Redis"). Read-only. Numbers are unsigned 64-bit and Lua has doubles, so that they stay arrays of
-- 16-bit words, most significant first, until they are decimal text: nothing is rounded. What a page holds is not
-- trusted: a short or missing string reads as "no such card", never as an error of this script.
--
--   FCALL_RO weir_card 0 <iccid> [prefix]      tries the partitions one by one, their number is in <prefix>:partitions
--   FCALL_RO weir_card 1 weir:{3}:h <iccid>    this partition only (Redis Cluster)

local DEFAULT_PREFIX = '@PREFIX@'
local NOT_FOUND = {}
local CYCLES_SHOWN = 6

local REASONS = { 'plan_exhausted', 'usage_limit', 'pool_exhausted', 'pool_threshold', 'pool_frozen', 'plan_expired',
  'manual', 'device_change', 'id_verification', 'violation', 'abnormal' }
local STATUS = { [0] = 'testable', 'inactive', 'in_use', 'suspended', 'deactivated', 'cancelled' }
local DESIRED = { [0] = 'unknown', 'active', 'suspended' }
local COMMAND = { [0] = 'idle', 'queued', 'sent', 'accepted', 'confirmed', 'failed' }

-- Little-endian integers that fit a double exactly; `at` counts from 0 as the format's tables do.
local function u8(bytes, at) return bytes:byte(at + 1) end
local function u16(bytes, at) return u8(bytes, at) + u8(bytes, at + 1) * 256 end
local function u32(bytes, at) return u16(bytes, at) + u16(bytes, at + 2) * 65536 end

-- 64 bits as words.
local function u64(bytes, at)
  return { u16(bytes, at + 6), u16(bytes, at + 4), u16(bytes, at + 2), u16(bytes, at) }
end

-- Sum with one word more, so that two usages near 2^64 do not wrap.
local function add(a, b)
  local sum, carry = {}, 0
  for i = 4, 1, -1 do
    local word = a[i] + b[i] + carry
    carry = math.floor(word / 65536)
    sum[i + 1] = word % 65536
  end
  sum[1] = carry
  return sum
end

-- Long division by 10^7: the greatest step is 10^7 * 65536 < 2^53.
local function decimal(words)
  local number, text = { unpack(words) }, ''
  while true do
    local rest, zero = 0, true
    for i = 1, #number do
      local step = rest * 65536 + number[i]
      number[i] = math.floor(step / 10000000)
      rest = step % 10000000
      zero = zero and number[i] == 0
    end
    if zero then return string.format('%d', rest) .. text end
    text = string.format('%07d', rest) .. text
  end
end

local function is_max(words)
  return words[1] == 65535 and words[2] == 65535 and words[3] == 65535 and words[4] == 65535
end

local function cycle_text(cycle)
  return string.format('%04d-%02d', 1970 + math.floor(cycle / 12), cycle % 12 + 1)
end

-- Civil date of days since 1970 (proleptic Gregorian, eras of 400 years).
local function time_text(seconds)
  local days, second = math.floor(seconds / 86400), seconds % 86400
  local z = days + 719468
  local era = math.floor(z / 146097)
  local doe = z - era * 146097
  local yoe = math.floor((doe - math.floor(doe / 1460) + math.floor(doe / 36524) - math.floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + math.floor(yoe / 4) - math.floor(yoe / 100))
  local mp = math.floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  local year = yoe + era * 400 + (month <= 2 and 1 or 0)
  return string.format('%04d-%02d-%02dT%02d:%02d:%02dZ', year, month, doy - math.floor((153 * mp + 2) / 5) + 1,
    math.floor(second / 3600), math.floor(second / 60) % 60, second % 60)
end

local function range(key, from, len)
  local bytes = redis.call('GETRANGE', key, from, from + len - 1)
  return #bytes == len and bytes or nil
end

-- The slot of one of the slabs, nil when it is not there.
local function slot_bytes(base, letter, slot, size)
  local slots_a_page = 8192 / size
  return range(base .. letter .. ':' .. string.format('%d', math.floor(slot / slots_a_page)),
    slot % slots_a_page * size, size)
end

-- ICCID packed as in a card slot (u64 hi, u64 lo, little-endian): six bits a character.
local function pack(iccid)
  local bits = {}
  for i = 1, #iccid do
    local c = iccid:byte(i)
    local code = c <= 57 and c - 47 or c - 54
    for b = 5, 0, -1 do bits[#bits + 1] = math.floor(code / 2 ^ b) % 2 end
  end
  local bytes = {}
  for i = 0, 15 do
    local byte = 0
    for b = 1, 8 do byte = byte * 2 + (bits[i * 8 + b] or 0) end
    bytes[i + 1] = string.char(byte)
  end
  local packed = table.concat(bytes)
  return packed:sub(1, 8):reverse() .. packed:sub(9, 16):reverse()
end

local function directory_tag(iccid)
  local tag = 0
  for i = 1, #iccid do tag = (tag * 61 + iccid:byte(i)) % 4294967291 end
  return tag
end

-- Returns slot number and slot of the card, nil when the partition has no such card.
local function find(base, iccid)
  local tag, packed = directory_tag(iccid), pack(iccid)
  local bucket = redis.call('GET', base .. 'd:' .. string.format('%d', tag % 1024))
  if not bucket then return nil end
  for at = 0, #bucket - 8, 8 do
    if u32(bucket, at) == tag then
      local slot = u32(bucket, at + 4)
      local card = slot_bytes(base, 'c', slot, 64)
      if card and card:sub(1, 16) == packed then return slot, card end
    end
  end
  return nil
end

-- The index-th name of a kind ('c' carriers, 'p' plans), from 1; the list holds both as "<kind>:<name>".
local function name_of(base, kind, index)
  if index == 0 then return 'none' end
  for _, name in ipairs(redis.call('LRANGE', base .. 'n', 0, -1)) do
    if name:sub(1, 2) == kind .. ':' then
      index = index - 1
      if index == 0 then return name:sub(3) end
    end
  end
  return 'none'
end

local function reasons_text(mask)
  local words = {}
  for i, word in ipairs(REASONS) do
    if math.floor(mask / 2 ^ (i - 1)) % 2 == 1 then words[#words + 1] = word end
  end
  return #words > 0 and table.concat(words, ',') or 'none'
end

-- The card's own limit, else its plan's as digits of the JSON that set it (no parser: it would round), else none.
local function limit_text(base, own, plan)
  if own and not is_max(own) then return decimal(own) end
  local json = redis.call('HGET', base .. 'r', 'plan:' .. plan)
  return json and json:match('"limit"%s*:%s*(%d+)%s*[,}]') or 'none'
end

local function previous_text(base, slot, cycle)
  local words = {}
  for past = cycle - 1, math.max(cycle - CYCLES_SHOWN, 0), -1 do
    local bytes = range(base .. 'y:' .. string.format('%d:%d', past, math.floor(slot / 256)), slot % 256 * 32, 32)
    if bytes and bytes ~= string.rep('\0', 32) then
      words[#words + 1] = cycle_text(past) .. ':' .. decimal(add(u64(bytes, 0), u64(bytes, 8)))
    end
  end
  return #words > 0 and table.concat(words, ',') or 'none'
end

local function enforcement_words(base, terms)
  local slot = terms and u32(terms, 4) or 0
  local bytes = slot > 0 and slot_bytes(base, 'e', slot - 1, 256)
  if not bytes then return 'active', 'unknown', 'idle', 'none' end
  local ticket = bytes:sub(97, 144):match('^[^%z]*')
  return DESIRED[u8(bytes, 4)] or 'unknown', DESIRED[u8(bytes, 5)] or 'unknown', COMMAND[u8(bytes, 6)] or 'unknown',
    ticket ~= '' and ticket or 'none'
end

local function describe(base, partition, iccid, slot, card)
  local terms_slot = u32(card, 60)
  local terms = terms_slot > 0 and slot_bytes(base, 't', terms_slot - 1, 64) or nil
  local cycle, plan, seen = u16(card, 52), name_of(base, 'p', u16(card, 56)), u32(card, 48)
  local addon = terms and u16(terms, 32) == cycle and decimal(u64(terms, 16)) or '0'
  local desired, confirmed, command, ticket = enforcement_words(base, terms)
  return { 'iccid', iccid, 'partition', partition, 'slot', string.format('%d', slot),
    'carrier', name_of(base, 'c', u8(card, 58)), 'plan', plan, 'status', STATUS[u8(card, 59) % 8] or 'unknown',
    'cycle', cycle_text(cycle), 'up_bytes', decimal(u64(card, 16)), 'down_bytes', decimal(u64(card, 24)),
    'used_bytes', decimal(add(u64(card, 16), u64(card, 24))), 'records', string.format('%d', u32(card, 40)),
    'sessions', string.format('%d', u32(card, 44)), 'last_record', seen > 0 and time_text(seen) or 'none',
    'reasons', reasons_text(u16(card, 54)), 'limit_bytes', limit_text(base, terms and u64(terms, 8), plan),
    'addon_bytes', addon, 'desired', desired, 'confirmed', confirmed, 'command', command, 'ticket', ticket,
    'previous', previous_text(base, slot, cycle) }
end

local function look(base, partition, iccid)
  local slot, card = find(base, iccid)
  return slot and describe(base, partition, iccid, slot, card) or nil
end

local function weir_card(keys, args)
  local iccid = (args[1] or ''):upper()
  if #iccid < 19 or #iccid > 20 or iccid:find('[^0-9A-Z]') then
    return redis.error_reply('ERR weir_card: an ICCID has 19 or 20 letters and digits')
  end
  if #keys > 0 then
    local base, partition = keys[1]:match('^(.*{(%d+)}:)h$')
    if not base then return redis.error_reply('ERR weir_card: the key is <prefix>:{partition}:h') end
    return look(base, partition, iccid) or NOT_FOUND
  end
  local prefix = args[2] or DEFAULT_PREFIX
  local count = tonumber(redis.call('GET', prefix .. ':partitions') or '')
  if not count then return redis.error_reply('ERR weir_card: ' .. prefix .. ':partitions is not set: has weir run?') end
  for number = 0, count - 1 do
    local partition = string.format('%d', number)
    local found = look(prefix .. ':{' .. partition .. '}:', partition, iccid)
    if found then return found end
  end
  return NOT_FOUND
end

redis.register_function{ function_name = 'weir_card', callback = weir_card, flags = { 'no-writes' },
  description = 'A card in words: usage, cycle, reasons, limits, commands. Argument: ICCID.' }
