-- Wireshark dissector of itbp1, the open protocol between an intrathecal pump and its programmer.
--
--   DLT_USER0 (147)  a packet is what went over the line: one or more frames 00 COBS(body, CRC-32) 00.
--   DLT_USER1 (148)  a packet is one message in plain: u8 direction (0 programmer to pump, 1 pump to programmer), then its bytes.
--
-- Use: tshark -X lua_script:protocols/itbp1.lua -r FILE.pcapng. Sealed records show their header; opening them needs the session's keys,
-- which this script does not have.
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

local function show_record(body, tree)
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
  elseif clear[name] then
    show_clear(name, body(8):tvb(), tree:add(itbp1, body(8), "Handshake: " .. name))
  end
  return string.format("%s #%d", name, body(2, 4):uint())
end

local function show_frame(range, tree)
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
  return show_record(buffer(0, size):tvb(), branch)
end

function itbp1.dissector(tvb, pinfo, tree)
  pinfo.cols.protocol = "itbp1"
  local root = tree:add(itbp1, tvb())
  local summaries, start = {}, nil
  for i = 0, tvb:len() do
    local zero = i == tvb:len() or tvb(i, 1):uint() == 0
    if zero and start then
      summaries[#summaries + 1] = show_frame(tvb(start, i - start), root)
      start = nil
    elseif not zero and not start then
      start = i
    end
  end
  pinfo.cols.info = #summaries > 0 and table.concat(summaries, ", ") or "no frame"
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

-- One message in plain: what a dissector with keys would call with the opened content. Returns its name.
local function show_message(tvb, tree)
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
