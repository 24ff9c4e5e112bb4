// Writes the requests that the guest's runner and compiler read: marshal tuples.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace azr::executor {

// How the runner uses the code; guest/runner.py holds the same numbers.
enum class Mode : uint8_t { kCallName, kCallExpression, kExpression, kMain, kTests };

// Appends marshal values to a buffer. Strings are UTF-8, lone surrogates allowed.
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

 private:
  void header(char type, uint32_t value) {
    out_.push_back(type);
    for (int shift = 0; shift < 32; shift += 8) {
      out_.push_back(static_cast<char>((value >> shift) & 0xff));
    }
  }
  void sized(char type, std::string_view value) {
    header(type, static_cast<uint32_t>(value.size()));
    out_ += value;
  }

  std::string& out_;
};

}  // namespace azr::executor
