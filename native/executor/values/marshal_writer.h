// Appends marshal values to a buffer: the form in which the host hands values to a guest.
//
// Only format 2 is written, which has no references. Strings are UTF-8, lone surrogates allowed.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace azr::executor {

class MarshalWriter {
 public:
  explicit MarshalWriter(std::string& out) : out_(out) {}

  void tuple(uint32_t count) { header('(', count); }
  void bytes(std::string_view value) { sized('s', value); }
  void text(std::string_view value) { sized('u', value); }
  void integer(uint32_t value) { header('i', value); }
  void none() { out_.push_back('N'); }
  void raw(std::string_view marshalled) { out_ += marshalled; }
  void texts(const std::vector<std::string>& values) {
    tuple(static_cast<uint32_t>(values.size()));
    for (const std::string& value : values) text(value);
  }

  // A type and the number behind it, which patch() may set once it is known.
  void header(char type, uint32_t value) {
    out_.push_back(type);
    for (int shift = 0; shift < 32; shift += 8) {
      out_.push_back(static_cast<char>((value >> shift) & 0xff));
    }
  }
  static constexpr size_t kHeaderBytes = 5;
  void patch(size_t header_at, uint32_t value) {
    for (size_t i = 0; i < 4; ++i) {
      out_[header_at + 1 + i] = static_cast<char>((value >> (8 * i)) & 0xff);
    }
  }

  // The eight bytes of a double, without a type.
  void binary64(double value) {
    std::array<char, 8> bytes{};
    std::memcpy(bytes.data(), &value, bytes.size());
    out_.append(bytes.data(), bytes.size());
  }

 private:
  void sized(char type, std::string_view value) {
    header(type, static_cast<uint32_t>(value.size()));
    out_ += value;
  }

  std::string& out_;
};

}  // namespace azr::executor
