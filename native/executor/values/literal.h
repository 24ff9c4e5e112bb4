// Reads Python literals, and nothing else, into marshal bytes.
//
// The parser is total and linear: any text gives bytes or a LiteralError, in time and memory
// proportional to its length, without evaluating anything. Marshal is only the carrier: what the
// guest (or marshal.loads) reads back is the value.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace azr::executor {

constexpr size_t kMaxLiteralDepth = 100;
constexpr size_t kMaxLiteralBytes = size_t{64} << 20;
// CPython's own default limit for decimal integers (sys.get_int_max_str_digits).
constexpr size_t kMaxIntDigits = 4300;

class LiteralError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// What a dict's keys mean: themselves, or the integer where the key is an integer's text, as JSON
// writes it.
enum class Keys { kThemselves, kNumbered };

// `text` (UTF-8, lone surrogates allowed) as one value, in marshal format 2 (no references).
std::string encode_literal(std::string_view text, Keys keys = Keys::kThemselves);

// `text` as what stands between a call's parentheses: a pair (tuple, dict with str keys).
std::string encode_arguments(std::string_view text);

}  // namespace azr::executor
