-- Wireshark dissector of itbp1, the open protocol between an intrathecal pump and its programmer.
--
--   DLT_USER0 (147)  a packet is what went over the line: one or more frames 00 COBS(body, CRC-32) 00.
--   DLT_USER1 (148)  a packet is one message in plain: u8 direction (0 programmer to pump, 1 pump to programmer), then its bytes.
--
-- Use: tshark -X lua_script:protocols/itbp1.lua -o itbp1.keylog:KEYS -r FILE.pcapng. Sealed records show their header. With the key log of
-- their sessions (`itbpump --keylog KEYS …`, the preference itbp1.keylog or the variable ITBPUMP_KEYLOG) they are opened: Wireshark 4.0
-- gives Lua no cipher, so AES-128-CCM stands below in plain Lua. It is for reading recordings, not for keeping secrets.
-- @TABLES@

local itbp1 = Proto("itbp1", "itbp1 pump protocol")
local plain = Proto("itbp1_plain", "itbp1 message in plain")

local f = {
  damage = ProtoField.string("itbp1.damage", "Damage"),
  crc = ProtoField.uint32("itbp1.crc", "CRC-32", base.HEX),
  crc_ok = ProtoField.bool("itbp1.crc_ok", "CRC holds"),
  version = ProtoField.uint8("itbp1.version", "Version"),
  type = ProtoField.uint8("itbp1.type", "Record type", base.HEX, record_types),
  counter = ProtoField.uint32("itbp1.counter", "Counter"),
  length = ProtoField.uint16("itbp1.length", "Length"),
  sealed = ProtoField.bytes("itbp1.sealed", "Sealed content"),
  tag = ProtoField.bytes("itbp1.tag", "Tag"),
  suite = ProtoField.uint8("itbp1.suite", "Suite"),
  programmer = ProtoField.bytes("itbp1.programmer", "Programmer id"),
  pump = ProtoField.bytes("itbp1.pump", "Pump id"),
  nonce = ProtoField.bytes("itbp1.nonce", "Nonce"),
  boot_epoch = ProtoField.uint32("itbp1.boot_epoch", "Boot epoch"),
  mac = ProtoField.bytes("itbp1.mac", "Confirmation"),
  retry_after_s = ProtoField.uint16("itbp1.retry_after_s", "Retry after (s)"),
  reason = ProtoField.uint8("itbp1.reason", "Reason", base.DEC, enums.RefuseReason),
  version_min = ProtoField.uint8("itbp1.version_min", "Lowest version"),
  version_max = ProtoField.uint8("itbp1.version_max", "Highest version"),
  wait_s = ProtoField.uint16("itbp1.wait_s", "Wait (s)"),
}
itbp1.fields = f

local p = {
  direction = ProtoField.uint8("itbp1.direction", "Direction", base.DEC, { [0] = "programmer to pump", [1] = "pump to programmer" }),
  message = ProtoField.string("itbp1.message", "Message"),
  re = ProtoField.uint32("itbp1.re", "Answers record"),
  field = ProtoField.string("itbp1.field", "Field"),
  damage = ProtoField.string("itbp1_plain.damage", "Damage"),
}
plain.fields = p

itbp1.prefs.keylog = Pref.string("Key log", os.getenv("ITBPUMP_KEYLOG") or "", "File with session keys, as `itbpump --keylog` writes it")

local show_message -- below, with the messages in plain

-- Lua 5.2 has bit32, Wireshark brings bit; Lua 5.4 has neither as a library everywhere, so that plain arithmetic stands behind them.
local function slow_xor(a, b)
  local result, place = 0, 1
  while a > 0 or b > 0 do
    if a % 2 ~= b % 2 then result = result + place end
    a, b, place = math.floor(a / 2), math.floor(b / 2), place * 2
  end
  return result
end
local library = rawget(_G, "bit") or rawget(_G, "bit32")
local function xor(a, b)
  if library then return library.bxor(a, b) % 4294967296 end
  return slow_xor(a, b)
end

local crc_table = {}
for i = 0, 255 do
  local value = i
  for _ = 1, 8 do
    local half = math.floor(value / 2)
    value = value % 2 == 1 and xor(half, 0xEDB88320) or half
  end
  crc_table[i] = value
end

local function crc32(bytes, count)
  local crc = 0xFFFFFFFF
  for i = 0, count - 1 do
    crc = xor(crc_table[xor(crc % 256, bytes:get_index(i))], math.floor(crc / 256))
  end
  return xor(crc, 0xFFFFFFFF)
end

-- ------------------------------------------------------------------------------------------------- AES-128-CCM
-- FIPS 197 and SP 800-38C (RFC 3610) with nonces of 13 bytes and tags of 16. Bytes are numbers in tables that begin at 1.
local sbox = {}
do
  local p, q = 1, 1
  local function turned(x, n) return (x * 2 ^ n) % 256 + math.floor(x / 2 ^ (8 - n)) end
  repeat
    p = xor(p, xor(p * 2 % 256, p >= 128 and 0x1B or 0)) -- times 3
    q = xor(q, q * 2 % 256) -- divided by 3
    q = xor(q, q * 4 % 256)
    q = xor(q, q * 16 % 256)
    if q >= 128 then q = xor(q, 9) end
    sbox[p] = xor(xor(xor(xor(xor(q, turned(q, 1)), turned(q, 2)), turned(q, 3)), turned(q, 4)), 0x63)
  until p == 1
  sbox[0] = 0x63
end
local twice = {}
for x = 0, 255 do twice[x] = xor(x * 2 % 256, x >= 128 and 0x1B or 0) end

local function expanded(key)
  local words, round_constant = {}, 1
  for i = 1, 16 do words[i] = key[i] end
  for i = 17, 176 do
    local before = words[i - 4]
    if (i - 1) % 16 < 4 then
      local from = i - 4 - (i - 1) % 4
      before = sbox[words[from + (i - 1 + 1) % 4]]
      if (i - 1) % 16 == 0 then
        before = xor(before, round_constant)
        round_constant = twice[round_constant]
      end
    end
    words[i] = xor(words[i - 16], before)
  end
  return words
end

local function encrypted(words, block)
  local state = {}
  for i = 1, 16 do state[i] = xor(block[i], words[i]) end
  for round = 1, 10 do
    local moved = {}
    for i = 0, 15 do moved[i + 1] = sbox[state[(i + 4 * (i % 4)) % 16 + 1]] end
    for column = 1, 13, 4 do
      local a, b, c, d = moved[column], moved[column + 1], moved[column + 2], moved[column + 3]
      if round < 10 then
        local all = xor(xor(a, b), xor(c, d))
        moved[column] = xor(xor(a, all), twice[xor(a, b)])
        moved[column + 1] = xor(xor(b, all), twice[xor(b, c)])
        moved[column + 2] = xor(xor(c, all), twice[xor(c, d)])
        moved[column + 3] = xor(xor(d, all), twice[xor(d, a)])
      end
    end
    for i = 1, 16 do state[i] = xor(moved[i], words[16 * round + i]) end
  end
  return state
end

-- A block of CCM: a flag byte, the nonce, a number of two bytes.
local function ccm_block(flags, nonce, number)
  local block = { flags }
  for i = 1, 13 do block[i + 1] = nonce[i] end
  block[15], block[16] = math.floor(number / 256), number % 256
  return block
end

local function mixed_in(words, mac, bytes, from, count)
  for at = from, from + count - 1, 16 do
    for i = 0, math.min(16, from + count - at) - 1 do mac[i + 1] = xor(mac[i + 1], bytes[at + i]) end
    mac = encrypted(words, mac)
  end
  return mac
end

-- The plaintext of a whole sealed record, or nil when the tag does not hold.
local function ccm_open(side, body)
  local length, nonce, head = #body - 24, {}, { 0, 8 }
  for i = 1, 8 do nonce[i], head[i + 2] = side.iv[i], body[i] end
  nonce[9] = body[2] % 16
  for i = 3, 6 do nonce[i + 7] = body[i] end
  local plaintext, mask = {}, nil
  for i = 0, length - 1 do
    if i % 16 == 0 then mask = encrypted(side.words, ccm_block(0x01, nonce, i / 16 + 1)) end
    plaintext[i + 1] = xor(body[9 + i], mask[i % 16 + 1])
  end
  local mac = encrypted(side.words, ccm_block(0x79, nonce, length))
  mac = mixed_in(side.words, mixed_in(side.words, mac, head, 1, 10), plaintext, 1, length)
  mask = encrypted(side.words, ccm_block(0x01, nonce, 0))
  for i = 1, 16 do
    if xor(mac[i], mask[i]) ~= body[8 + length + i] then return nil end
  end
  return plaintext
end

-- --------------------------------------------------------------------------------------------------- session keys
local sessions, opened = {}, {}

local function bytes_of(hex)
  local bytes = {}
  for pair in hex:gmatch("%x%x") do bytes[#bytes + 1] = tonumber(pair, 16) end
  return bytes
end

local function read_keys(path)
  local file = path ~= "" and io.open(path, "r")
  if not file then return end
  for line in file:lines() do
    local k = {}
    for name, value in line:gmatch("(%w+_?%w*)=(%x+)") do k[name] = value end
    local whole = true
    for name, digits in pairs({ k_p2d = 32, k_d2p = 32, iv_p = 16, iv_d = 16 }) do
      whole = whole and k[name] ~= nil and #k[name] == digits
    end
    if whole and line:match("^itbp1%-session ") then
      table.insert(sessions, 1, {
        [0] = { words = expanded(bytes_of(k.k_p2d)), iv = bytes_of(k.iv_p) },
        [1] = { words = expanded(bytes_of(k.k_d2p)), iv = bytes_of(k.iv_d) },
      })
    end
  end
  file:close()
end

function itbp1.init()
  sessions, opened = {}, {}
  read_keys(itbp1.prefs.keylog)
end

-- Plaintext of a sealed record in hex, or false. The session that opened the last record is tried first.
local function unsealed(body, pinfo)
  local record = body:bytes()
  local place = pinfo.number .. " " .. tostring(record)
  if opened[place] == nil then
    opened[place] = false
    local bytes = {}
    for i = 1, record:len() do bytes[i] = record:get_index(i - 1) end
    for rank, session in ipairs(sessions) do
      for way = 0, 1 do
        -- p2p_dir: 0 sent, 1 received, as the programmer sees it; anything else where the capture does not say
        local possible = pinfo.p2p_dir == way or (pinfo.p2p_dir ~= 0 and pinfo.p2p_dir ~= 1)
        local plaintext = possible and not opened[place] and ccm_open(session[way], bytes)
        if plaintext then
          for i, value in ipairs(plaintext) do plaintext[i] = string.format("%02x", value) end
          opened[place] = table.concat(plaintext)
          table.insert(sessions, 1, table.remove(sessions, rank))
        end
      end
      if opened[place] then break end
    end
  end
  return opened[place]
end

-- Bytes of one run between zeros without the stuffing; nil and a reason when it is damaged.
local function unstuff(range)
  local source = range:bytes()
  local count = source:len()
  local out, at = {}, 0
  while at < count do
    local code = source:get_index(at)
    if at + code > count then return nil, "stuffing points beyond the frame" end
    for i = at + 1, at + code - 1 do out[#out + 1] = string.format("%02x", source:get_index(i)) end
    at = at + code
    if code < 255 and at < count then out[#out + 1] = "00" end
  end
  if #out > MAX_DECODED_BYTES then return nil, "longer than a frame may be" end
  if #out < 5 then return nil, "shorter than a frame can be" end
  return ByteArray.new(table.concat(out))
end

local clear = {
  hello = { { f.version, 1 }, { f.suite, 1 }, { f.programmer, 8 }, { f.nonce, 16 } },
  hello_reply = { { f.version, 1 }, { f.suite, 1 }, { f.pump, 8 }, { f.nonce, 16 }, { f.boot_epoch, 4 } },
  confirm_programmer = { { f.programmer, 8 }, { f.mac, 16 } },
  confirm_pump = { { f.mac, 16 } },
  busy = { { f.retry_after_s, 2 } },
  refuse = { { f.reason, 1 }, { f.version_min, 1 }, { f.version_max, 1 }, { f.wait_s, 2 } },
}

local function show_clear(name, content, tree)
  local at = 0
  for _, row in ipairs(clear[name]) do
    if at + row[2] > content:len() then
      tree:add(f.damage, "content ends early")
      return
    end
    tree:add(row[1], content(at, row[2]))
    at = at + row[2]
  end
  if at < content:len() then tree:add(f.damage, "bytes left over") end
end

local function show_record(body, tree, pinfo)
  if body:len() < 8 then
    tree:add(f.damage, "shorter than a record header")
    return "short record"
  end
  local number = body(1, 1):uint()
  local name = record_types[number] or string.format("type 0x%02x", number)
  local header = tree:add(itbp1, body(0, 8), "Header: " .. name)
  header:add(f.version, body(0, 1))
  header:add(f.type, body(1, 1))
  header:add(f.counter, body(2, 4))
  header:add(f.length, body(6, 2))
  local length, tag = body(6, 2):uint(), number >= 16 and TAG_BYTES or 0
  if body:len() ~= 8 + length + tag then
    tree:add(f.damage, "length does not fit the record")
  elseif tag > 0 then
    if length > 0 then tree:add(f.sealed, body(8, length)) end
    tree:add(f.tag, body(8 + length, tag))
    local plaintext = length > 0 and unsealed(body, pinfo)
    if plaintext then
      name = show_message(ByteArray.new(plaintext):tvb("Opened message"), tree)
    end
  elseif clear[name] then
    show_clear(name, body(8):tvb(), tree:add(itbp1, body(8), "Handshake: " .. name))
  end
  return string.format("%s #%d", name, body(2, 4):uint())
end

local function show_frame(range, tree, pinfo)
  local branch = tree:add(itbp1, range, "Frame")
  local decoded, reason = unstuff(range)
  if not decoded then
    branch:add(f.damage, range, reason)
    return "damaged"
  end
  local size = decoded:len() - 4
  local buffer = decoded:tvb("Frame without stuffing")
  local holds = crc32(decoded, size) == buffer(size, 4):uint()
  branch:add(f.crc, buffer(size, 4))
  branch:add(f.crc_ok, holds)
  if not holds then
    branch:add(f.damage, "CRC does not hold")
    return "damaged"
  end
  return show_record(buffer(0, size):tvb(), branch, pinfo)
end

function itbp1.dissector(tvb, pinfo, tree)
  pinfo.cols.protocol = "itbp1"
  local root = tree:add(itbp1, tvb())
  if pinfo.p2p_dir == 0 or pinfo.p2p_dir == 1 then root:add(p.direction, pinfo.p2p_dir):set_generated() end
  local summaries, start = {}, nil
  for i = 0, tvb:len() do
    local zero = i == tvb:len() or tvb(i, 1):uint() == 0
    if zero and start then
      summaries[#summaries + 1] = show_frame(tvb(start, i - start), root, pinfo)
      start = nil
    elseif not zero and not start then
      start = i
    end
  end
  pinfo.cols.info = #summaries > 0 and table.concat(summaries, ", ") or (tvb:len() == 0 and "remark" or "no frame")
end

-- ---------------------------------------------------------------------------------------------- messages in plain
local widths = { u8 = 1, u16 = 2, u32 = 4, u64 = 8, bool = 1, enum = 1 }
local show_fields

local function show_number(spec, range, tree)
  local value = spec.base == "u64" and tostring(range:uint64()) or tostring(range:uint())
  local text = value
  if spec.base == "enum" then text = enums[spec.ref][range:uint()] or (value .. ", unknown") end
  if spec.base == "bool" then text = value == "0" and "false" or value == "1" and "true" or (value .. ", not a bool") end
  tree:add(p.field, range, string.format("%s = %s%s", spec.name, text, spec.unit and " " .. spec.unit or ""))
end

-- One field from `at` on; returns the place behind it. Reading beyond the end raises Wireshark's own error, shown as malformed.
local function show_field(spec, tvb, at, tree)
  if widths[spec.base] then
    show_number(spec, tvb(at, widths[spec.base]), tree)
    return at + widths[spec.base]
  elseif spec.base == "bytes" then
    tree:add(p.field, tvb(at, spec.bound), string.format("%s = %s", spec.name, tostring(tvb(at, spec.bound):bytes())))
    return at + spec.bound
  elseif spec.base == "str" or spec.base == "blob" then
    local head = spec.base == "str" and 1 or 2
    local length = tvb(at, head):uint()
    local text = ""
    if length > 0 then
      local range = tvb(at + head, length)
      text = spec.base == "str" and range:string(ENC_UTF_8) or tostring(range:bytes())
    end
    tree:add(p.field, tvb(at, head + length), string.format("%s = %s", spec.name, text))
    return at + head + length
  elseif spec.base == "struct" then
    return show_fields(structs[spec.ref], tvb, at, tree:add(plain, tvb(at), spec.name))
  end
  local count = tvb(at, 1):uint()
  at = at + 1
  for i = 1, count do
    at = show_fields(structs[spec.ref], tvb, at, tree:add(plain, tvb(at), string.format("%s[%d]", spec.name, i)))
  end
  return at
end

show_fields = function(specs, tvb, at, tree)
  for _, spec in ipairs(specs) do at = show_field(spec, tvb, at, tree) end
  return at
end

-- One message in plain, also the content of an opened record. Returns its name.
show_message = function(tvb, tree)
  local message = messages[tvb(0, 1):uint()]
  if not message then
    tree:add(p.damage, "unknown message")
    return "unknown message"
  end
  local branch = tree:add(plain, tvb(), message.name)
  branch:add(p.message, tvb(0, 1), message.name)
  local at = 1
  if message.kind == "reply" then
    branch:add(p.re, tvb(1, 4))
    at = 5
  end
  at = show_fields(message.fields, tvb, at, branch)
  if at ~= tvb:len() then branch:add(p.damage, "bytes left over") end
  if message.name == "Error" then return "Error: " .. (errors[tvb(5, 1):uint()] or "unknown code") end
  return message.name
end

function plain.dissector(tvb, pinfo, tree)
  pinfo.cols.protocol = "itbp1"
  local root = tree:add(plain, tvb())
  root:add(p.direction, tvb(0, 1))
  pinfo.cols.info = show_message(tvb(1):tvb(), root)
end

local encapsulation = DissectorTable.get("wtap_encap")
encapsulation:add(wtap.USER0, itbp1)
encapsulation:add(wtap.USER1, plain)
