#include "executor/literal.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <clocale>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace azr::executor {
namespace {

// What the parser must know about a value it has written.
struct Value {
  char type = 'N';  // marshal's type byte
  bool hashable = true;
  size_t at = 0;  // where the value's bytes start
};

struct Number {
  bool is_imaginary = false;
  bool is_float = false;
  double real = 0;
  bool negative = false;            // of an integer
  std::vector<uint16_t> magnitude;  // of an integer: base 2^15, least significant first
};

bool is_name_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) || c == '_'; }
bool is_name_part(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

int digit_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 99;
}

void multiply_add(std::vector<uint16_t>& magnitude, uint32_t factor, uint32_t addend) {
  uint64_t carry = addend;
  for (uint16_t& limb : magnitude) {
    carry += uint64_t{limb} * factor;
    limb = static_cast<uint16_t>(carry & 0x7fff);
    carry >>= 15;
  }
  for (; carry > 0; carry >>= 15) magnitude.push_back(static_cast<uint16_t>(carry & 0x7fff));
}

double magnitude_as_double(const std::vector<uint16_t>& magnitude) {
  double value = 0;
  for (size_t i = magnitude.size(); i-- > 0;) value = value * 32768.0 + magnitude[i];
  return value;
}

// Decimal text to the nearest double; beyond the range it is inf or 0, as in Python.
double parse_double(const std::string& text) {
  double value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc::result_out_of_range) return value;
  static locale_t c_locale = newlocale(LC_ALL_MASK, "C", nullptr);
  return strtod_l(text.c_str(), nullptr, c_locale);
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {
    if (text.size() > kMaxLiteralBytes) fail("too long");
    out_.reserve(text.size() + 16);
  }

  std::string parse_single() {
    Value value = parse_value(0);
    if (skip_space(), peek() == ',') wrap_bare_tuple(value);
    expect_end();
    return std::move(out_);
  }

  std::string parse_call() {
    put_header('(', 2);
    const size_t positional = put_header('(', 0);
    uint32_t count = 0;
    std::vector<std::string> names;
    skip_space();
    while (at_ < text_.size()) {
      const std::string name = try_keyword();
      if (!name.empty()) {
        if (names.empty()) out_.push_back('{');
        if (names.size() >= 255) fail("more than 255 keyword arguments");  // find() is linear
        if (std::find(names.begin(), names.end(), name) != names.end()) {
          fail("keyword argument repeated: " + name);
        }
        put_text(name);
        names.push_back(name);
      } else if (!names.empty()) {
        fail("positional argument follows keyword argument");
      } else {
        ++count;
      }
      parse_value(0);
      skip_space();
      if (at_ >= text_.size()) break;
      expect(',');
      skip_space();
    }
    patch(positional, count);
    if (names.empty()) out_.push_back('{');
    out_.push_back('0');
    return std::move(out_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw LiteralError(what + " (at offset " + std::to_string(at_) + ")");
  }

  // ---- input

  char peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  void expect(char c) {
    if (peek() != c) fail(std::string("expected '") + c + "'");
    ++at_;
  }

  void expect_end() {
    skip_space();
    if (at_ < text_.size()) fail("unexpected text after the literal");
  }

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

  std::string_view read_name() {
    const size_t start = at_;
    while (is_name_part(peek())) ++at_;
    return text_.substr(start, at_ - start);
  }

  // Reads `name =` if it stands here; otherwise leaves the position alone.
  std::string try_keyword() {
    const size_t start = at_;
    if (!is_name_start(peek())) return {};
    const std::string name(read_name());
    skip_space();
    if (peek() == '=' && peek(1) != '=') {
      static constexpr std::array<std::string_view, 35> kReserved{
          "False", "None",     "True",  "and",    "as",   "assert", "async",  "await",    "break",
          "class", "continue", "def",   "del",    "elif", "else",   "except", "finally",  "for",
          "from",  "global",   "if",    "import", "in",   "is",     "lambda", "nonlocal", "not",
          "or",    "pass",     "raise", "return", "try",  "while",  "with",   "yield"};
      if (std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end()) {
        fail("a keyword cannot name an argument: " + name);
      }
      ++at_;
      return name;
    }
    at_ = start;
    return {};
  }

  // ---- output

  void put_u32(uint32_t value) {
    for (int shift = 0; shift < 32; shift += 8) {
      out_.push_back(static_cast<char>((value >> shift) & 0xff));
    }
  }

  size_t put_header(char type, uint32_t count) {
    const size_t at = out_.size();
    out_.push_back(type);
    put_u32(count);
    return at;
  }

  void patch(size_t header, uint32_t count) {
    for (size_t i = 0; i < 4; ++i) {
      out_[header + 1 + i] = static_cast<char>((count >> (8 * i)) & 0xff);
    }
  }

  void put_text(std::string_view text) {
    put_header('u', static_cast<uint32_t>(text.size()));
    out_ += text;
  }

  void put_double(double value) {
    std::array<char, 8> bytes{};
    std::memcpy(bytes.data(), &value, 8);
    out_.append(bytes.data(), bytes.size());
  }

  void put_integer(const Number& number) {
    size_t limbs = number.magnitude.size();
    while (limbs > 0 && number.magnitude[limbs - 1] == 0) --limbs;
    if (limbs <= 2) {
      int32_t small = 0;
      for (size_t i = limbs; i-- > 0;) small = small * 32768 + number.magnitude[i];
      put_header('i', static_cast<uint32_t>(number.negative ? -small : small));
      return;
    }
    const auto count = static_cast<int32_t>(limbs);
    put_header('l', static_cast<uint32_t>(number.negative ? -count : count));
    for (size_t i = 0; i < limbs; ++i) {
      out_.push_back(static_cast<char>(number.magnitude[i] & 0xff));
      out_.push_back(static_cast<char>(number.magnitude[i] >> 8));
    }
  }

  // ---- values

  Value parse_value(size_t depth) {
    if (depth > kMaxLiteralDepth) fail("nested too deeply");
    skip_space();
    const char c = peek();
    Value value;
    value.at = out_.size();
    if (c == '(') return parse_parenthesis(depth);
    if (c == '[') return parse_list(depth);
    if (c == '{') return parse_brace(depth);
    if (c == '\'' || c == '"') return parse_strings();
    if (is_digit(c) || c == '-' || c == '+' || (c == '.' && is_digit(peek(1)))) {
      value.type = parse_number();
      return value;
    }
    if (is_name_start(c)) return parse_name(depth);
    fail(at_ < text_.size() ? "not a literal" : "a literal is missing");
  }

  // Parses values up to `close`, which is consumed.
  uint32_t parse_items(char close, size_t depth, bool& hashable) {
    uint32_t count = 0;
    for (skip_space(); peek() != close; skip_space()) {
      hashable = parse_value(depth + 1).hashable && hashable;
      ++count;
      skip_space();
      if (peek() == close) break;
      expect(',');
    }
    expect(close);
    return count;
  }

  Value parse_parenthesis(size_t depth) {
    Value value{'(', true, out_.size()};
    put_header('(', 0);
    ++at_;
    skip_space();
    if (peek() == ')') {
      ++at_;
      return value;
    }
    const Value first = parse_value(depth + 1);
    skip_space();
    if (peek() == ')') {  // only grouping: take the header back
      ++at_;
      out_.erase(value.at, 5);
      return {first.type, first.hashable, value.at};
    }
    expect(',');
    value.hashable = first.hashable;
    patch(value.at, 1 + parse_items(')', depth, value.hashable));
    return value;
  }

  Value parse_list(size_t depth) {
    const Value value{'[', false, out_.size()};
    put_header('[', 0);
    ++at_;
    bool hashable = true;
    patch(value.at, parse_items(']', depth, hashable));
    return value;
  }

  Value parse_brace(size_t depth) {
    Value value{'{', false, out_.size()};
    ++at_;
    skip_space();
    if (peek() == '}') {
      ++at_;
      out_ += "{0";
      return value;
    }
    put_header('<', 0);
    const bool hashable = parse_value(depth + 1).hashable;
    skip_space();
    if (!hashable) fail("a dict key or set element must be hashable");
    if (peek() == ':') {
      out_[value.at] = '{';
      out_.erase(value.at + 1, 4);
      parse_dict_rest(depth);
      return value;
    }
    value.type = '<';
    if (peek() == '}') {
      ++at_;
      patch(value.at, 1);
      return value;
    }
    expect(',');
    bool all_hashable = true;
    patch(value.at, 1 + parse_items('}', depth, all_hashable));
    if (!all_hashable) fail("a set element must be hashable");
    return value;
  }

  // After the first key.
  void parse_dict_rest(size_t depth) {
    while (true) {
      skip_space();
      expect(':');
      parse_value(depth + 1);
      skip_space();
      if (peek() == ',') {
        ++at_;
        skip_space();
      } else if (peek() != '}') {
        fail("expected ',' or '}'");
      }
      if (peek() == '}') {
        ++at_;
        out_.push_back('0');
        return;
      }
      if (!parse_value(depth + 1).hashable) fail("a dict key must be hashable");
    }
  }

  void wrap_bare_tuple(const Value& first) {
    out_.insert(first.at, 5, '(');
    uint32_t count = 1;
    while (peek() == ',') {
      ++at_;
      skip_space();
      if (at_ >= text_.size()) break;
      parse_value(1);
      ++count;
      skip_space();
    }
    patch(first.at, count);
  }

  Value parse_name(size_t depth) {
    const size_t start = at_;
    const std::string_view name = read_name();
    if (peek() == '\'' || peek() == '"') {
      at_ = start;
      return parse_strings();
    }
    Value value{'N', true, out_.size()};
    if (name == "None" || name == "True" || name == "False") {
      value.type = name[0];
      out_.push_back(value.type);
      return value;
    }
    if (name == "inf" || name == "nan" || name == "infj" || name == "nanj") {
      at_ = start;
      value.type = parse_number();
      return value;
    }
    if (name == "set" || name == "frozenset") return parse_set_call(name, depth);
    at_ = start;
    fail("a name is not a literal: " + std::string(name.substr(0, 40)));
  }

  Value parse_set_call(std::string_view name, size_t depth) {
    Value value{name == "set" ? '<' : '>', name != "set", out_.size()};
    skip_space();
    expect('(');
    skip_space();
    if (peek() == ')') {
      ++at_;
      put_header(value.type, 0);
      return value;
    }
    const size_t items = at_;
    // `frozenset({` opens one value, not two: what value_text.cc writes must be read here, to the
    // same depth. Another name inside counts, so that the recursion stays bounded.
    const bool is_display = peek() == '{' || peek() == '[' || peek() == '(';
    const Value inner = parse_value(is_display ? depth : depth + 1);
    if (inner.type != '<' && inner.type != '[' && inner.type != '(') {
      at_ = items;
      fail("expected a set, list or tuple");
    }
    if (inner.type == '[' && last_list_unhashable(inner)) fail("a set element must be hashable");
    if (inner.type == '(' && !inner.hashable) fail("a set element must be hashable");
    out_[inner.at] = value.type;
    skip_space();
    if (peek() == ',') {
      ++at_;
      skip_space();
    }
    expect(')');
    return value;
  }

  // A list's own hashability is false; look at its elements again (only for `set([...])`).
  bool last_list_unhashable(const Value& list) const {
    // Marshal types of unhashable elements can only start an element; scanning would misread
    // string contents, so the rare form is limited to flat lists of scalars and strings.
    size_t at = list.at + 5;
    while (at < out_.size()) {
      switch (out_[at]) {
        case 'N':
        case 'T':
        case 'F':
          at += 1;
          break;
        case 'i':
          at += 5;
          break;
        case 'g':
          at += 9;
          break;
        case 'y':
          at += 17;
          break;
        case 'u':
        case 's':
          at += 5 + read_u32(at + 1);
          break;
        case 'l': {
          const auto count = static_cast<int32_t>(read_u32(at + 1));
          at += 5 + 2 * static_cast<size_t>(count < 0 ? -count : count);
          break;
        }
        default:
          return true;
      }
    }
    return false;
  }

  uint32_t read_u32(size_t at) const {
    uint32_t value = 0;
    for (size_t i = 0; i < 4; ++i) {
      value |= uint32_t{static_cast<uint8_t>(out_[at + i])} << (8 * i);
    }
    return value;
  }

  // ---- numbers

  // Digits of `base` with underscores between them, appended to `digits`.
  void read_digits(int base, std::string& digits) {
    bool after_digit = false;
    while (true) {
      if (digit_value(peek()) < base) {
        digits.push_back(peek());
        after_digit = true;
      } else if (peek() == '_' && after_digit && digit_value(peek(1)) < base) {
        after_digit = false;
      } else {
        return;
      }
      ++at_;
    }
  }

  void read_based_integer(Number& number) {
    const char mark = static_cast<char>(std::tolower(static_cast<unsigned char>(peek(1))));
    const int bits = mark == 'x' ? 4 : mark == 'o' ? 3 : 1;
    at_ += 2;
    if (peek() == '_') ++at_;
    std::string digits;
    read_digits(1 << bits, digits);
    if (digits.empty()) fail("digits are missing");
    uint32_t pending = 0;
    int have = 0;
    for (size_t i = digits.size(); i-- > 0;) {
      pending |= static_cast<uint32_t>(digit_value(digits[i])) << have;
      have += bits;
      if (have >= 15) {
        number.magnitude.push_back(static_cast<uint16_t>(pending & 0x7fff));
        pending >>= 15;
        have -= 15;
      }
    }
    number.magnitude.push_back(static_cast<uint16_t>(pending));
  }

  void read_decimal(Number& number) {
    std::string digits;
    read_digits(10, digits);
    const size_t whole = digits.size();
    if (peek() == '.') {
      number.is_float = true;
      digits.push_back('.');
      ++at_;
      read_digits(10, digits);
      if (digits.size() == 1) fail("digits are missing");
    }
    if ((peek() == 'e' || peek() == 'E') &&
        (is_digit(peek(1)) || ((peek(1) == '-' || peek(1) == '+') && is_digit(peek(2))))) {
      number.is_float = true;
      digits.push_back('e');
      ++at_;
      if (peek() == '-') digits.push_back('-');
      if (!is_digit(peek())) ++at_;
      read_digits(10, digits);
    }
    if (peek() == 'j' || peek() == 'J') {
      number.is_imaginary = true;
      ++at_;
    }
    if (number.is_float || number.is_imaginary) {
      number.real = parse_double(digits);
      return;
    }
    if (whole > 1 && digits[0] == '0' && digits.find_first_not_of('0') != std::string::npos) {
      fail("leading zeros in a decimal integer");
    }
    if (whole > kMaxIntDigits) fail("integer of more than 4300 digits");
    for (size_t i = 0; i < digits.size(); i += 4) {
      uint32_t chunk = 0;
      uint32_t scale = 1;
      for (size_t k = i; k < std::min(i + 4, digits.size()); ++k) {
        chunk = chunk * 10 + static_cast<uint32_t>(digits[k] - '0');
        scale *= 10;
      }
      multiply_add(number.magnitude, scale, chunk);
    }
  }

  Number read_number() {
    Number number;
    const char mark = static_cast<char>(std::tolower(static_cast<unsigned char>(peek(1))));
    if (peek() == '0' && (mark == 'x' || mark == 'o' || mark == 'b')) {
      read_based_integer(number);
    } else if (is_digit(peek()) || peek() == '.') {
      read_decimal(number);
    } else {
      const std::string_view name = read_name();
      if (name.substr(0, 3) != "inf" && name.substr(0, 3) != "nan") fail("a number is missing");
      if (name.size() > 3 && name.substr(3) != "j") fail("a number is missing");
      number.is_imaginary = name.size() > 3;
      number.is_float = true;
      number.real = name[0] == 'i' ? HUGE_VAL : std::nan("");
    }
    if (is_name_part(peek())) fail("a number runs into a name");
    return number;
  }

  bool read_sign() {
    const bool negative = peek() == '-';
    if (peek() == '-' || peek() == '+') {
      ++at_;
      skip_space();
    }
    return negative;
  }

  static double signed_double(const Number& number, bool negative) {
    const double value = number.is_float || number.is_imaginary
                             ? number.real
                             : magnitude_as_double(number.magnitude);
    return negative ? -value : value;
  }

  char parse_number() {
    const bool negative = read_sign();
    Number number = read_number();
    const size_t after = at_;
    skip_space();
    if (!number.is_imaginary && (peek() == '+' || peek() == '-')) {
      const bool imaginary_negative = read_sign();
      const Number imaginary = read_number();
      if (!imaginary.is_imaginary) fail("arithmetic is not a literal");
      put_complex(signed_double(number, negative), signed_double(imaginary, imaginary_negative));
      return 'y';
    }
    at_ = after;
    if (number.is_imaginary) {
      put_complex(0.0, signed_double(number, negative));
      return 'y';
    }
    if (number.is_float) {
      out_.push_back('g');
      put_double(negative ? -number.real : number.real);
      return 'g';
    }
    number.negative = negative;
    put_integer(number);
    return 'i';
  }

  void put_complex(double real, double imaginary) {
    out_.push_back('y');
    put_double(real);
    put_double(imaginary);
  }

  // ---- strings

  struct StringKind {
    bool raw = false;
    bool bytes = false;
  };

  StringKind read_prefix() {
    StringKind kind;
    const std::string_view prefix = read_name();
    for (const char c : prefix) {
      const char lower = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      if (lower == 'r' && !kind.raw) {
        kind.raw = true;
      } else if (lower == 'b' && !kind.bytes) {
        kind.bytes = true;
      } else if (lower != 'u' || prefix.size() > 1) {
        fail("not a literal's prefix: " + std::string(prefix.substr(0, 10)));
      }
    }
    return kind;
  }

  bool at_string() const {
    size_t ahead = 0;
    while (ahead < 2 && is_name_start(peek(ahead))) ++ahead;
    return peek(ahead) == '\'' || peek(ahead) == '"';
  }

  // One string or several side by side.
  Value parse_strings() {
    Value value{'u', true, out_.size()};
    put_header('u', 0);
    bool first = true;
    while (at_string()) {
      const StringKind kind = read_prefix();
      if (!first && kind.bytes != (value.type == 's')) fail("cannot mix bytes and str");
      value.type = kind.bytes ? 's' : 'u';
      first = false;
      read_string(kind);
      skip_space();
    }
    if (first) fail("not a literal");
    out_[value.at] = value.type;
    patch(value.at, static_cast<uint32_t>(out_.size() - value.at - 5));
    return value;
  }

  void read_string(StringKind kind) {
    const char quote = peek();
    const bool triple = peek(1) == quote && peek(2) == quote;
    at_ += triple ? 3 : 1;
    while (true) {
      if (at_ >= text_.size()) fail("a string is not closed");
      const char c = text_[at_];
      if (c == quote && (!triple || (peek(1) == quote && peek(2) == quote))) {
        at_ += triple ? 3 : 1;
        return;
      }
      if (c == '\0') fail("a null character");
      if ((c == '\n' || c == '\r') && !triple) fail("a string is not closed");
      if (c == '\\') {
        read_escape(kind);
      } else {
        read_plain(c, kind);
      }
    }
  }

  void read_plain(char c, StringKind kind) {
    if (kind.bytes && static_cast<unsigned char>(c) >= 0x80) fail("bytes hold ASCII only");
    ++at_;
    if (c == '\r') {  // as Python reads source text
      if (peek() == '\n') ++at_;
      c = '\n';
    }
    out_.push_back(c);
  }

  void read_escape(StringKind kind) {
    ++at_;
    if (at_ >= text_.size()) fail("a string is not closed");
    const char c = text_[at_];
    if (kind.raw) {
      out_.push_back('\\');
      read_plain(c, kind);
      return;
    }
    static constexpr std::string_view kFrom = "\\'\"abfnrtv";
    static constexpr std::string_view kTo = "\\'\"\a\b\f\n\r\t\v";
    const size_t simple = kFrom.find(c);
    if (simple != std::string_view::npos && c != '\0') {
      out_.push_back(kTo[simple]);
      ++at_;
    } else if (c == '\n' || c == '\r') {
      ++at_;
      if (c == '\r' && peek() == '\n') ++at_;
    } else if (c >= '0' && c <= '7') {
      read_octal(kind);
    } else if (c == 'x' || (!kind.bytes && (c == 'u' || c == 'U'))) {
      ++at_;
      put_code_point(read_hex(c == 'x' ? 2 : c == 'u' ? 4 : 8), kind);
    } else if (c == 'N' && !kind.bytes) {
      fail("named characters are not supported");
    } else {
      out_.push_back('\\');  // as Python does with an escape it does not know
      read_plain(c, kind);
    }
  }

  void read_octal(StringKind kind) {
    uint32_t code = 0;
    for (int i = 0; i < 3 && peek() >= '0' && peek() <= '7'; ++i, ++at_) {
      code = code * 8 + static_cast<uint32_t>(peek() - '0');
    }
    put_code_point(kind.bytes ? code & 0xff : code, kind);
  }

  uint32_t read_hex(int digits) {
    uint32_t code = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      if (digit_value(peek()) >= 16) fail("a truncated escape");
      code = code * 16 + static_cast<uint32_t>(digit_value(peek()));
    }
    return code;
  }

  void put_code_point(uint32_t code, StringKind kind) {
    if (kind.bytes || code < 0x80) {
      out_.push_back(static_cast<char>(code));
    } else if (code < 0x800) {
      put_utf8(code, 1, 0xc0);
    } else if (code < 0x10000) {
      put_utf8(code, 2, 0xe0);
    } else if (code <= 0x10ffff) {
      put_utf8(code, 3, 0xf0);
    } else {
      fail("a code point beyond U+10FFFF");
    }
  }

  void put_utf8(uint32_t code, int tail, uint32_t lead) {
    out_.push_back(static_cast<char>(lead | (code >> (6 * tail))));
    for (int shift = 6 * (tail - 1); shift >= 0; shift -= 6) {
      out_.push_back(static_cast<char>(0x80 | ((code >> shift) & 0x3f)));
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  std::string out_;
};

}  // namespace

std::string encode_literal(std::string_view text) { return Parser(text).parse_single(); }

std::string encode_arguments(std::string_view text) { return Parser(text).parse_call(); }

}  // namespace azr::executor
