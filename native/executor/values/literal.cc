// Containers, names and calls. Numbers and strings have files of their own: literal_number.cc and
// literal_string.cc.
#include "executor/values/literal.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "executor/values/literals/literal_number.h"
#include "executor/values/literals/literal_source.h"
#include "executor/values/literals/literal_string.h"
#include "executor/values/marshal_writer.h"

namespace azr::executor {
namespace {

// What the parser must know about a value it has written.
struct Value {
  char type = 'N';  // marshal's type byte
  bool hashable = true;
  size_t at = 0;  // where the value's bytes start
};

class Parser {
 public:
  explicit Parser(std::string_view text, Keys keys = Keys::kThemselves) : in_(text), keys_(keys) {
    out_.reserve(text.size() + 16);
  }

  std::string parse_single() {
    Value value = parse_value(0);
    if (in_.skip_space(), in_.peek() == ',') wrap_bare_tuple(value);
    in_.skip_space();
    if (!in_.at_end()) in_.fail("unexpected text after the literal");
    return std::move(out_);
  }

  std::string parse_call() {
    marshal_.tuple(2);
    const size_t positional = out_.size();
    marshal_.tuple(0);
    uint32_t count = 0;
    std::vector<std::string> names;
    in_.skip_space();
    while (!in_.at_end()) {
      const std::string name = try_keyword();
      if (!name.empty()) {
        if (names.empty()) out_.push_back('{');
        add_keyword(names, name);
      } else if (!names.empty()) {
        in_.fail("positional argument follows keyword argument");
      } else {
        ++count;
      }
      parse_value(0);
      in_.skip_space();
      if (in_.at_end()) break;
      in_.expect(',');
      in_.skip_space();
    }
    marshal_.patch(positional, count);
    if (names.empty()) out_.push_back('{');
    out_.push_back('0');
    return std::move(out_);
  }

 private:
  // Reads `name =` if it stands here; otherwise leaves the position alone.
  std::string try_keyword() {
    const size_t start = in_.position();
    if (!is_name_start(in_.peek())) return {};
    const std::string name(in_.read_name());
    in_.skip_space();
    if (in_.peek() == '=' && in_.peek(1) != '=') {
      static constexpr std::array<std::string_view, 35> kReserved{
          "False", "None",     "True",  "and",    "as",   "assert", "async",  "await",    "break",
          "class", "continue", "def",   "del",    "elif", "else",   "except", "finally",  "for",
          "from",  "global",   "if",    "import", "in",   "is",     "lambda", "nonlocal", "not",
          "or",    "pass",     "raise", "return", "try",  "while",  "with",   "yield"};
      if (std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end()) {
        in_.fail("a keyword cannot name an argument: " + name);
      }
      in_.skip();
      return name;
    }
    in_.return_to(start);
    return {};
  }

  void add_keyword(std::vector<std::string>& names, const std::string& name) {
    if (names.size() >= 255) in_.fail("more than 255 keyword arguments");  // find() is linear
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      in_.fail("keyword argument repeated: " + name);
    }
    marshal_.text(name);
    names.push_back(name);
  }

  Value parse_value(size_t depth) {
    if (depth > kMaxLiteralDepth) in_.fail("nested too deeply");
    in_.skip_space();
    const char c = in_.peek();
    Value value;
    value.at = out_.size();
    if (c == '(') return parse_parenthesis(depth);
    if (c == '[') return parse_list(depth);
    if (c == '{') return parse_brace(depth);
    if (c == '\'' || c == '"') return {encode_strings(in_, out_), true, value.at};
    if (is_digit(c) || c == '-' || c == '+' || (c == '.' && is_digit(in_.peek(1)))) {
      value.type = encode_number(in_, out_);
      return value;
    }
    if (is_name_start(c)) return parse_name(depth);
    in_.fail(in_.at_end() ? "a literal is missing" : "not a literal");
  }

  // Parses values up to `close`, which is consumed.
  uint32_t parse_items(char close, size_t depth, bool& hashable) {
    uint32_t count = 0;
    for (in_.skip_space(); in_.peek() != close; in_.skip_space()) {
      hashable = parse_value(depth + 1).hashable && hashable;
      ++count;
      in_.skip_space();
      if (in_.peek() == close) break;
      in_.expect(',');
    }
    in_.expect(close);
    return count;
  }

  Value parse_parenthesis(size_t depth) {
    Value value{'(', true, out_.size()};
    marshal_.tuple(0);
    in_.skip();
    in_.skip_space();
    if (in_.peek() == ')') {
      in_.skip();
      return value;
    }
    const Value first = parse_value(depth + 1);
    in_.skip_space();
    if (in_.peek() == ')') {  // only grouping: take the header back
      in_.skip();
      out_.erase(value.at, MarshalWriter::kHeaderBytes);
      return {first.type, first.hashable, value.at};
    }
    in_.expect(',');
    value.hashable = first.hashable;
    marshal_.patch(value.at, 1 + parse_items(')', depth, value.hashable));
    return value;
  }

  Value parse_list(size_t depth) {
    const Value value{'[', false, out_.size()};
    marshal_.header('[', 0);
    in_.skip();
    bool hashable = true;
    marshal_.patch(value.at, parse_items(']', depth, hashable));
    return value;
  }

  Value parse_brace(size_t depth) {
    Value value{'{', false, out_.size()};
    in_.skip();
    in_.skip_space();
    if (in_.peek() == '}') {
      in_.skip();
      out_ += "{0";
      return value;
    }
    marshal_.header('<', 0);
    const Value first = parse_value(depth + 1);
    in_.skip_space();
    if (!first.hashable) in_.fail("a dict key or set element must be hashable");
    if (in_.peek() == ':') {
      take_key(first);
      out_[value.at] = '{';
      out_.erase(value.at + 1, 4);
      parse_dict_rest(depth);
      return value;
    }
    value.type = '<';
    if (in_.peek() == '}') {
      in_.skip();
      marshal_.patch(value.at, 1);
      return value;
    }
    in_.expect(',');
    bool all_hashable = true;
    marshal_.patch(value.at, 1 + parse_items('}', depth, all_hashable));
    if (!all_hashable) in_.fail("a set element must be hashable");
    return value;
  }

  // Makes an integer of the key that was written last, if it is to be one.
  void take_key(const Value& key) {
    if (keys_ == Keys::kThemselves || key.type != 'u') return;
    std::string text = out_.substr(key.at + MarshalWriter::kHeaderBytes);
    const size_t sign = !text.empty() && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    const bool is_number =
        text.size() > sign && text.size() < kMaxKeyChars &&
        std::all_of(text.begin() + static_cast<std::ptrdiff_t>(sign), text.end(), is_digit);
    if (!is_number) return;
    const size_t first_digit = std::min(text.find_first_not_of('0', sign), text.size() - 1);
    text.erase(sign, first_digit - sign);
    out_.resize(key.at);
    LiteralSource number(text);
    encode_number(number, out_);
  }

  // After the first key.
  void parse_dict_rest(size_t depth) {
    while (true) {
      in_.skip_space();
      in_.expect(':');
      parse_value(depth + 1);
      in_.skip_space();
      if (in_.peek() == ',') {
        in_.skip();
        in_.skip_space();
      } else if (in_.peek() != '}') {
        in_.fail("expected ',' or '}'");
      }
      if (in_.peek() == '}') {
        in_.skip();
        out_.push_back('0');
        return;
      }
      const Value key = parse_value(depth + 1);
      if (!key.hashable) in_.fail("a dict key must be hashable");
      take_key(key);
    }
  }

  void wrap_bare_tuple(const Value& first) {
    out_.insert(first.at, MarshalWriter::kHeaderBytes, '(');
    uint32_t count = 1;
    while (in_.peek() == ',') {
      in_.skip();
      in_.skip_space();
      if (in_.at_end()) break;
      parse_value(1);
      ++count;
      in_.skip_space();
    }
    marshal_.patch(first.at, count);
  }

  Value parse_name(size_t depth) {
    Value value{'N', true, out_.size()};
    const size_t start = in_.position();
    const std::string_view name = in_.read_name();
    if (in_.peek() == '\'' || in_.peek() == '"') {
      in_.return_to(start);
      value.type = encode_strings(in_, out_);
      return value;
    }
    if (name == "None" || name == "True" || name == "False") {
      value.type = name[0];
      out_.push_back(value.type);
      return value;
    }
    if (name == "inf" || name == "nan" || name == "infj" || name == "nanj") {
      in_.return_to(start);
      value.type = encode_number(in_, out_);
      return value;
    }
    if (name == "set" || name == "frozenset") return parse_set_call(name, depth);
    in_.return_to(start);
    in_.fail("a name is not a literal: " + std::string(name.substr(0, 40)));
  }

  Value parse_set_call(std::string_view name, size_t depth) {
    Value value{name == "set" ? '<' : '>', name != "set", out_.size()};
    in_.skip_space();
    in_.expect('(');
    in_.skip_space();
    if (in_.peek() == ')') {
      in_.skip();
      marshal_.header(value.type, 0);
      return value;
    }
    const size_t items = in_.position();
    // `frozenset({` opens one value, not two: what value_text.cc writes must be read here, to the
    // same depth. Another name inside counts, so that the recursion stays bounded.
    const bool is_display = in_.peek() == '{' || in_.peek() == '[' || in_.peek() == '(';
    const Value inner = parse_value(is_display ? depth : depth + 1);
    if (inner.type != '<' && inner.type != '[' && inner.type != '(') {
      in_.return_to(items);
      in_.fail("expected a set, list or tuple");
    }
    if (inner.type == '[' && last_list_unhashable(inner))
      in_.fail("a set element must be hashable");
    if (inner.type == '(' && !inner.hashable) in_.fail("a set element must be hashable");
    out_[inner.at] = value.type;
    in_.skip_space();
    if (in_.peek() == ',') {
      in_.skip();
      in_.skip_space();
    }
    in_.expect(')');
    return value;
  }

  // A list's own hashability is false; look at its elements again (only for `set([...])`).
  bool last_list_unhashable(const Value& list) const {
    // Marshal types of unhashable elements can only start an element; scanning would misread
    // string contents, so the rare form is limited to flat lists of scalars and strings.
    size_t at = list.at + MarshalWriter::kHeaderBytes;
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

  static constexpr size_t kMaxKeyChars = 20;

  LiteralSource in_;
  Keys keys_;
  std::string out_;
  MarshalWriter marshal_{out_};
};

}  // namespace

std::string encode_literal(std::string_view text, Keys keys) {
  return Parser(text, keys).parse_single();
}

std::string encode_arguments(std::string_view text) { return Parser(text).parse_call(); }

}  // namespace azr::executor
