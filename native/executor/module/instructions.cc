#include "executor/module/instructions.h"

#include <array>
#include <stdexcept>

namespace azr::executor {
namespace {

constexpr uint8_t kCodeSection = 10;

class Body {
 public:
  Body(Decoder decoder, Listener& listener) : in_(decoder), listener_(listener) {}

  bool decode(size_t end) {
    const uint64_t locals = in_.uleb();
    for (uint64_t i = 0; i < locals; ++i) in_.skip(2);
    while (in_.at() < end) {
      if (!instruction(in_.byte())) return false;
    }
    return in_.at() == end;
  }

 private:
  bool instruction(uint8_t op) {
    if (op >= 0x28 && op <= 0x3e) return memory_argument();
    if (op <= 0x01 || op == 0x05 || op == 0x0b || op == 0x0f || (op >= 0x1a && op <= 0x1b) ||
        (op >= 0x45 && op <= 0xc4) || op == 0x0a || op == 0x19 || op == 0xd1) {
      return true;  // no immediates, no state
    }
    switch (op) {
      case 0x02:
      case 0x03:
      case 0x04:
      case 0x06:
      case 0x07:
      case 0x08:
      case 0x09:
      case 0x0c:
      case 0x0d:
      case 0x18:
      case 0x20:
      case 0x21:
      case 0x22:
      case 0x23:
      case 0x25:
      case 0x3f:
      case 0x41:
      case 0x42:
      case 0xd0:
        in_.skip(1);
        return true;
      case 0x10:
      case 0x12:
      case 0xd2:
        listener_.name_function(in_.at());
        in_.skip(1);
        return true;
      case 0x11:
      case 0x13:
        in_.skip(2);
        return true;
      case 0x0e:
        return branch_table();
      case 0x1c:
        return typed_select();
      case 0x1f:
        return try_table();
      case 0x24:
        listener_.change_state("global.set " + std::to_string(in_.uleb()));
        return true;
      case 0x26:
        listener_.change_state("table.set");
        in_.skip(1);
        return true;
      case 0x40:
        listener_.change_state("memory.grow");
        in_.skip(1);
        return true;
      case 0x43:
        in_.jump(in_.at() + 4);
        return true;
      case 0x44:
        in_.jump(in_.at() + 8);
        return true;
      case 0xfc:
        return bulk(in_.uleb());
      case 0xfd:
        return simd(in_.uleb());
      default:
        return false;
    }
  }

  bool memory_argument() {
    in_.skip(2);
    return true;
  }

  bool branch_table() {
    const uint64_t targets = in_.uleb();
    for (uint64_t i = 0; i <= targets; ++i) in_.uleb();
    return true;
  }

  bool typed_select() {
    const uint64_t types = in_.uleb();
    for (uint64_t i = 0; i < types; ++i) in_.uleb();
    return true;
  }

  bool try_table() {
    in_.uleb();
    const uint64_t clauses = in_.uleb();
    for (uint64_t i = 0; i < clauses; ++i) in_.skip(in_.byte() < 2 ? 2 : 1);
    return true;
  }

  bool bulk(uint64_t op) {
    static constexpr std::array<const char*, 18> kNames{
        nullptr,      nullptr,     nullptr,       nullptr,      nullptr, nullptr,
        nullptr,      nullptr,     "memory.init", "data.drop",  nullptr, nullptr,
        "table.init", "elem.drop", "table.copy",  "table.grow", nullptr, "table.fill"};
    static constexpr std::array<int, 18> kImmediates{0, 0, 0, 0, 0, 0, 0, 0, 2,
                                                     1, 2, 1, 2, 1, 2, 1, 1, 1};
    if (op >= kNames.size()) return false;
    if (kNames[op] != nullptr) listener_.change_state(kNames[op]);
    in_.skip(kImmediates[op]);
    return true;
  }

  bool simd(uint64_t op) {
    if (op <= 11 || op == 92 || op == 93) return memory_argument();
    if (op == 12 || op == 13) {
      in_.jump(in_.at() + 16);
    } else if (op >= 21 && op <= 34) {
      in_.byte();
    } else if (op >= 84 && op <= 91) {
      in_.skip(2);
      in_.byte();
    }
    return true;
  }

  Decoder in_;
  Listener& listener_;
};

void read_code_section(Decoder& in, size_t end, const std::function<void(size_t, size_t)>& see) {
  const uint64_t count = in.uleb();
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t length = in.uleb();
    if (in.at() > end || length > end - in.at()) throw std::runtime_error("a function is too long");
    const size_t begin = in.at();
    see(begin, begin + length);
    in.jump(begin + length);
  }
}

}  // namespace

uint8_t Decoder::byte() {
  if (done()) throw std::runtime_error("the module ends in the middle of something");
  return static_cast<uint8_t>(bytes_[at_++]);
}

uint64_t Decoder::uleb() {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const uint8_t part = byte();
    if (shift > 63) throw std::runtime_error("a number is too long");
    value |= uint64_t{part & 0x7fu} << shift;
    if (part < 0x80) return value;
  }
}

void Decoder::skip(int count) {
  for (int i = 0; i < count; ++i) uleb();
}

void for_each_body(std::string_view wasm, const std::function<void(size_t, size_t)>& see) {
  static constexpr std::string_view kMagic("\0asm\1\0\0\0", 8);
  if (!wasm.starts_with(kMagic)) throw std::runtime_error("not a WebAssembly module");
  Decoder in(wasm, kMagic.size());
  while (!in.done()) {
    const uint8_t section = in.byte();
    const uint64_t size = in.uleb();
    if (size > wasm.size() - in.at()) throw std::runtime_error("a section is too long");
    const size_t end = in.at() + size;
    if (section == kCodeSection) read_code_section(in, end, see);
    in.jump(end);
  }
}

bool decode_body(std::string_view wasm, size_t begin, size_t end, Listener& listener) {
  return Body(Decoder(wasm.substr(0, end), begin), listener).decode(end);
}

}  // namespace azr::executor
