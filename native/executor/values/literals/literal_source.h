// The text of a literal and how far it has been read: what the readers of numbers, strings and
// containers share. All of it is inline, for it runs once a character.
#pragma once

#include <cctype>
#include <cstddef>
#include <string>
#include <string_view>

#include "executor/values/literal.h"

namespace azr::executor {

inline bool is_name_start(char c) {
  return std::isalpha(static_cast<unsigned char>(c)) || c == '_';
}
inline bool is_name_part(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }
inline bool is_digit(char c) { return c >= '0' && c <= '9'; }
inline char to_lower(char c) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

// The value of a digit in bases up to 16; of anything else a number beyond them.
inline int digit_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 99;
}

// Reads past the end as null characters, which no literal holds.
class LiteralSource {
 public:
  explicit LiteralSource(std::string_view text) : text_(text) {
    if (text.size() > kMaxLiteralBytes) fail("too long");
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw LiteralError(what + " (at offset " + std::to_string(at_) + ")");
  }

  bool at_end() const { return at_ >= text_.size(); }
  size_t position() const { return at_; }
  void return_to(size_t position) { at_ = position; }

  char peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  void skip(size_t count = 1) { at_ += count; }

  void expect(char c) {
    if (peek() != c) fail(std::string("expected '") + c + "'");
    ++at_;
  }

  // Passes over white space, comments and joined lines.
  void skip_space() {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        while (at_ < text_.size() && text_[at_] != '\n') ++at_;
      } else if (c == '\\' && peek(1) == '\n') {
        at_ += 2;
      } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
        ++at_;
      } else {
        return;
      }
    }
  }

  // The characters from here on that `accepts` takes.
  template <typename Accepts>
  std::string_view take_while(Accepts accepts) {
    const size_t start = at_;
    while (at_ < text_.size() && accepts(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }

  std::string_view read_name() { return take_while(is_name_part); }

 private:
  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace azr::executor
