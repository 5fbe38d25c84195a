#!lua name=weir
-- weir functions version 2
--
-- weir_card and weir_pool: a card and a pool in words, for people with redis-cli and for programs that do not know the
-- pages' layout (docs/formats.md, "Redis"). Read-only. Numbers are unsigned 64-bit and Lua has doubles, so that they stay
-- arrays of 16-bit words, most significant first, until they are decimal text: nothing is rounded. What a page holds is not
-- trusted: a short or missing string reads as "no such card", never as an error of this script.
--
--   FCALL_RO weir_card 0 <iccid> [prefix]      tries the partitions one by one, their number is in <prefix>:partitions
--   FCALL_RO weir_card 1 weir:{3}:h <iccid>    this partition only (Redis Cluster); a smart card's children are not added up
--   FCALL_RO weir_pool 0 <pool> [prefix]       likewise
--   FCALL_RO weir_pool 1 weir:{3}:h <pool>

local DEFAULT_PREFIX = '@PREFIX@'
local NOT_FOUND = {}
local CYCLES_SHOWN = 6

local REASONS = { 'plan_exhausted', 'usage_limit', 'pool_exhausted', 'pool_threshold', 'pool_frozen', 'plan_expired',
  'manual', 'device_change', 'id_verification', 'violation', 'abnormal', 'reset' }
local STATUS = { [0] = 'testable', 'inactive', 'in_use', 'suspended', 'deactivated', 'cancelled' }
local IN_USE = 2 -- in STATUS
local FLAG_CHILDREN, FLAG_PARENT = 5, 6 -- bits of a card's flags
local KINDS = { [0] = 'single', 'accumulative', 'fixed', 'metered' }
local POOL_STATUS = { [0] = 'in_use', 'suspended', 'disabled' }
local SLOT = { c = 64, t = 128, e = 256, l = 32, a = 256, q = 256 } -- bytes
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

-- Is bit number `bit` of a small mask set?
local function has_bit(mask, bit) return math.floor(mask / 2 ^ bit) % 2 == 1 end

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

-- a - b as text, with a sign when it is below zero.
local function decimal_difference(a, b)
  local below = false
  for i = 1, 4 do
    if a[i] ~= b[i] then
      below = a[i] < b[i]
      break
    end
  end
  if below then a, b = b, a end
  local rest, borrow = {}, 0
  for i = 4, 1, -1 do
    local word = a[i] - b[i] - borrow
    borrow = word < 0 and 1 or 0
    rest[i] = word + borrow * 65536
  end
  return (below and '-' or '') .. decimal(rest)
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
local function slot_bytes(base, letter, slot)
  local size = SLOT[letter]
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

-- The ICCID's text out of its 16 bytes; nil when they are zero.
local function unpack_iccid(bytes)
  local packed, bits, text = bytes:sub(1, 8):reverse() .. bytes:sub(9, 16):reverse(), {}, {}
  for i = 1, 16 do
    for bit = 7, 0, -1 do bits[#bits + 1] = math.floor(packed:byte(i) / 2 ^ bit) % 2 end
  end
  for at = 1, 115, 6 do
    local code = 0
    for i = at, at + 5 do code = code * 2 + bits[i] end
    if code < 1 or code > 36 then break end
    text[#text + 1] = string.char(code <= 10 and code + 47 or code + 54)
  end
  return #text > 0 and table.concat(text) or nil
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
      local card = slot_bytes(base, 'c', slot)
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
    if has_bit(mask, i - 1) then words[#words + 1] = word end
  end
  return #words > 0 and table.concat(words, ',') or 'none'
end

-- Both masks' bits.
local function common_bits(a, b)
  local mask = 0
  for bit = 0, 15 do
    if has_bit(a, bit) and has_bit(b, bit) then mask = mask + 2 ^ bit end
  end
  return mask
end

-- What the partition says of a carrier (header field k:<id>): reasons that it does not enforce on cards outside and inside
-- pools, and its current cycle with start and end in seconds. Zeros when it says nothing.
local function carrier_words(base, carrier)
  local words = {}
  for word in (redis.call('HGET', base .. 'h', 'k:' .. carrier) or ''):gmatch('%d+') do words[#words + 1] = tonumber(word) end
  return { single = words[1] or 0, pooled = words[2] or 0, cycle = words[3] or 0, from = words[4] or 0, to = words[5] or 0 }
end

-- 2^32-1: never (docs/lifecycle.md)
local function time_or_none(seconds) return seconds > 0 and seconds < 4294967295 and time_text(seconds) or 'none' end

-- A list of texts in a JSON object, with commas between; nil when there is none. A reader's JSON is parsed only for texts:
-- numbers would be rounded.
local function json_member(json, name)
  local ok, object = pcall(cjson.decode, json or '')
  return ok and type(object) == 'table' and object[name] or nil
end

local function json_list(json, name)
  local list, words = json_member(json, name), {}
  for _, word in ipairs(type(list) == 'table' and list or {}) do
    if type(word) == 'string' then words[#words + 1] = word end
  end
  return #words > 0 and table.concat(words, ',') or 'none'
end

-- The card's own limit, else its plan's as digits of the JSON that set it (no parser: it would round), else none.
local function limit_text(base, own, plan)
  if own and not is_max(own) then return decimal(own) end
  local json = redis.call('HGET', base .. 'r', 'plan:' .. plan)
  return json and json:match('"limit"%s*:%s*(%d+)%s*[,}]') or 'none'
end

-- Usage of closed cycles: pages y of cards, z of pools.
local function previous_text(base, letter, slot, cycle)
  local words = {}
  for past = cycle - 1, math.max(cycle - CYCLES_SHOWN, 0), -1 do
    local key = base .. letter .. ':' .. string.format('%d:%d', past, math.floor(slot / 256))
    local bytes = range(key, slot % 256 * 32, 32)
    if bytes and bytes ~= string.rep('\0', 32) then
      words[#words + 1] = cycle_text(past) .. ':' .. decimal(add(u64(bytes, 0), u64(bytes, 8)))
    end
  end
  return #words > 0 and table.concat(words, ',') or 'none'
end

local function enforcement_words(base, terms)
  local slot = terms and u32(terms, 4) or 0
  local bytes = slot > 0 and slot_bytes(base, 'e', slot - 1)
  if not bytes then return 'active', 'unknown', 'idle', 'none' end
  local ticket = bytes:sub(97, 144):match('^[^%z]*')
  return DESIRED[u8(bytes, 4)] or 'unknown', DESIRED[u8(bytes, 5)] or 'unknown', COMMAND[u8(bytes, 6)] or 'unknown',
    ticket ~= '' and ticket or 'none'
end

-- What the card's life slot says, in words.
local function life_words(base, card, slot)
  local life = slot_bytes(base, 'l', slot) or string.rep('\0', 32)
  local words = { pool = 'none', pooled = u32(life, 0) > 0, activated = 'none', expires = 'none', tested = '0', imei = 'none' }
  if words.pooled then
    local account = slot_bytes(base, 'a', u32(life, 0) - 1)
    words.pool = account and account:sub(1, 64):match('^[^%z]+') or 'none'
  end
  if u8(card, 59) % 8 == 0 then
    words.tested = decimal(u64(life, 16))
  else
    words.activated, words.expires = time_or_none(u32(life, 16)), time_or_none(u32(life, 20))
  end
  local imei = u16(life, 28) * 4294967296 + u32(life, 24)
  if imei > 0 then words.imei = string.format('%014.0f', imei) end
  return words
end

-- A card as a table; nil when the partition has no such card.
local function card_look(base, partition, iccid)
  local slot, card = find(base, iccid)
  if not slot then return nil end
  local terms_slot = u32(card, 60)
  local terms = terms_slot > 0 and slot_bytes(base, 't', terms_slot - 1) or nil
  local carrier = name_of(base, 'c', u8(card, 58))
  local is, life = carrier_words(base, carrier), life_words(base, card, slot)
  local reasons, flags = u16(card, 54), u8(card, 59)
  local ignored = common_bits(reasons, life.pooled and is.pooled or is.single)
  local status = STATUS[flags % 8] or 'unknown'
  if flags % 8 == IN_USE and reasons ~= ignored then status = 'suspended' end
  return { base = base, partition = partition, iccid = iccid, slot = slot, card = card, terms = terms, carrier = carrier,
    life = life, reasons = reasons, ignored = ignored, flags = flags, status = status, current = is.cycle }
end

local function partition_count(prefix)
  return tonumber(redis.call('GET', prefix .. ':partitions') or '')
end

-- The card in whichever partition has it.
local function card_find(prefix, count, iccid)
  for number = 0, count - 1 do
    local partition = string.format('%d', number)
    local found = card_look(prefix .. ':{' .. partition .. '}:', partition, iccid)
    if found then return found end
  end
  return nil
end

local ZERO = { 0, 0, 0, 0 }

-- A smart card's children (POOL-8): their list, their sum over each one's current cycle, and the state they share. Without a
-- prefix (one partition only) the list alone.
local function children_words(look, prefix, count)
  local listed = redis.call('HGET', look.base .. 'r', 'children:' .. look.iccid)
  local words, sum, status, differ = {}, ZERO, nil, false
  for child in ((listed or ''):match('%[.*%]') or ''):gmatch('[0-9A-Z]+') do
    words[#words + 1] = child
    local found = prefix and card_find(prefix, count, child)
    if found then
      local card = found.card
      if found.current == 0 or u16(card, 52) >= found.current then
        local used = add(u64(card, 16), u64(card, 24))
        local total = add(sum, { used[2], used[3], used[4], used[5] })
        sum = (total[1] > 0 or used[1] > 0) and { 65535, 65535, 65535, 65535 } or
          { total[2], total[3], total[4], total[5] }
      end
      differ = differ or (status ~= nil and status ~= found.status)
      status = found.status
    end
  end
  if #words == 0 then return 'none', 'none', look.status end
  return table.concat(words, ','), prefix and decimal(sum) or 'none', differ and 'partially_in_use' or status or look.status
end

local function describe(look, prefix, count)
  local base, card, terms, slot, life = look.base, look.card, look.terms, look.slot, look.life
  local cycle, plan = u16(card, 52), name_of(base, 'p', u16(card, 56))
  local addon = terms and u16(terms, 32) == cycle and decimal(u64(terms, 16)) or '0'
  local desired, confirmed, command, ticket = enforcement_words(base, terms)
  local parent = has_bit(look.flags, FLAG_PARENT) and terms and unpack_iccid(terms:sub(81, 96)) or 'none'
  local children, children_used, status = 'none', 'none', look.status
  if has_bit(look.flags, FLAG_CHILDREN) then children, children_used, status = children_words(look, prefix, count) end
  return { 'iccid', look.iccid, 'partition', look.partition, 'slot', string.format('%d', slot), 'carrier', look.carrier,
    'plan', plan, 'pool', life.pool, 'status', status, 'activated', life.activated, 'expires', life.expires,
    'test_used_bytes', life.tested, 'imei', life.imei, 'cycle', cycle_text(cycle), 'up_bytes', decimal(u64(card, 16)),
    'down_bytes', decimal(u64(card, 24)), 'used_bytes', decimal(add(u64(card, 16), u64(card, 24))),
    'records', string.format('%d', u32(card, 40)), 'sessions', string.format('%d', u32(card, 44)),
    'last_record', time_or_none(u32(card, 48)), 'reasons', reasons_text(look.reasons),
    'not_enforced', reasons_text(look.ignored), 'limit_bytes', limit_text(base, terms and u64(terms, 8), plan),
    'addon_bytes', addon, 'desired', desired, 'confirmed', confirmed, 'command', command, 'ticket', ticket,
    'parent', parent, 'children', children, 'children_used_bytes', children_used,
    'tags', json_list(redis.call('HGET', base .. 'x', 'tags:' .. look.iccid), 'tags'),
    'previous', previous_text(base, 'y', slot, cycle) }
end

local function weir_card(keys, args)
  local iccid = (args[1] or ''):upper()
  if #iccid < 19 or #iccid > 20 or iccid:find('[^0-9A-Z]') then
    return redis.error_reply('ERR weir_card: an ICCID has 19 or 20 letters and digits')
  end
  if #keys > 0 then
    local base, partition = keys[1]:match('^(.*{(%d+)}:)h$')
    if not base then return redis.error_reply('ERR weir_card: the key is <prefix>:{partition}:h') end
    local found = card_look(base, partition, iccid)
    return found and describe(found) or NOT_FOUND
  end
  local prefix = args[2] or DEFAULT_PREFIX
  local count = partition_count(prefix)
  if not count then return redis.error_reply('ERR weir_card: ' .. prefix .. ':partitions is not set: has weir run?') end
  local found = card_find(prefix, count, iccid)
  return found and describe(found, prefix, count) or NOT_FOUND
end

-- A pool's slot number and slot in its own partition; nil when it is not there. Pages are searched for the id: a pool has no
-- directory, and a partition some hundred pools.
local function pool_slot(base, id)
  local pools, padded = tonumber(redis.call('HGET', base .. 'h', 'pools') or '') or 0, id .. string.rep('\0', 64 - #id)
  for page = 0, math.ceil(pools / 32) - 1 do
    local bytes = redis.call('GET', base .. 'q:' .. string.format('%d', page)) or ''
    local at = bytes:find(padded, 1, true)
    while at and (at - 1) % 256 ~= 0 do at = bytes:find(padded, at + 1, true) end
    if at and #bytes >= at + 255 then return page * 32 + (at - 1) / 256, bytes:sub(at, at + 255) end
  end
  return nil
end

local function pool_describe(base, partition, id)
  local slot, pool = pool_slot(base, id)
  if not slot then return nil end
  local carrier, cycle = name_of(base, 'c', u8(pool, 81)), u16(pool, 76)
  local json, is = redis.call('HGET', base .. 'r', 'pool:' .. id), carrier_words(base, carrier)
  local total, used, dated = u64(pool, 192), u64(pool, 152), cycle > 0 and is.cycle == cycle
  local threshold, addon = u64(pool, 96), u16(pool, 136) == cycle and decimal(u64(pool, 104)) or '0'
  local name = json_member(json, 'name')
  local changed = u64(pool, 168)
  -- Microseconds below 2^53: a double holds them.
  local changed_s = math.floor((((changed[1] * 65536 + changed[2]) * 65536 + changed[3]) * 65536 + changed[4]) / 1000000)
  return { 'pool', id, 'partition', partition, 'slot', string.format('%d', slot),
    'name', type(name) == 'string' and name or id, 'kind', u8(pool, 81) > 0 and KINDS[u8(pool, 80)] or 'none',
    'carrier', carrier, 'plan', name_of(base, 'p', u16(pool, 78)),
    'status', u8(pool, 81) > 0 and POOL_STATUS[u8(pool, 82)] or 'undefined', 'cards', string.format('%d', u32(pool, 68)),
    'effective_cards', string.format('%d', u32(pool, 72)), 'total_bytes', is_max(total) and 'none' or decimal(total),
    'used_bytes', decimal(used), 'remaining_bytes', is_max(total) and 'none' or decimal_difference(total, used),
    'addon_bytes', addon, 'threshold_bytes', (is_max(threshold) or u8(pool, 81) == 0) and 'none' or decimal(threshold),
    'reasons', reasons_text(u16(pool, 84)), 'batches', json_list(json, 'batches'),
    'cycle', cycle > 0 and cycle_text(cycle) or 'none', 'cycle_start', dated and time_text(is.from) or 'none',
    'cycle_end', dated and time_text(is.to) or 'none', 'changed', time_or_none(changed_s),
    'previous', previous_text(base, 'z', slot, cycle) }
end

local function weir_pool(keys, args)
  local id = args[1] or ''
  if #id < 1 or #id > 63 or id:find('[^!-~]') then
    return redis.error_reply('ERR weir_pool: a pool\'s id has 1 to 63 printable characters')
  end
  if #keys > 0 then
    local base, partition = keys[1]:match('^(.*{(%d+)}:)h$')
    if not base then return redis.error_reply('ERR weir_pool: the key is <prefix>:{partition}:h') end
    return pool_describe(base, partition, id) or NOT_FOUND
  end
  local prefix = args[2] or DEFAULT_PREFIX
  local count = partition_count(prefix)
  if not count then return redis.error_reply('ERR weir_pool: ' .. prefix .. ':partitions is not set: has weir run?') end
  for number = 0, count - 1 do
    local partition = string.format('%d', number)
    local found = pool_describe(prefix .. ':{' .. partition .. '}:', partition, id)
    if found then return found end
  end
  return NOT_FOUND
end

redis.register_function{ function_name = 'weir_card', callback = weir_card, flags = { 'no-writes' },
  description = 'A card in words: usage, cycle, reasons, limits, commands. Argument: ICCID.' }
redis.register_function{ function_name = 'weir_pool', callback = weir_pool, flags = { 'no-writes' },
  description = 'A pool in words: cards, total, usage, status, cycle (POOL-6). Argument: its id.' }
