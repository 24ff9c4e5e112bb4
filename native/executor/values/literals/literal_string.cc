#include "executor/values/literals/literal_string.h"

#include <cstdint>
#include <string_view>

#include "executor/values/marshal_writer.h"

namespace azr::executor {
namespace {

struct StringKind {
  bool raw = false;
  bool bytes = false;
};

StringKind read_prefix(LiteralSource& in) {
  StringKind kind;
  const std::string_view prefix = in.read_name();
  for (const char c : prefix) {
    const char lower = to_lower(c);
    if (lower == 'r' && !kind.raw) {
      kind.raw = true;
    } else if (lower == 'b' && !kind.bytes) {
      kind.bytes = true;
    } else if (lower != 'u' || prefix.size() > 1) {
      in.fail("not a literal's prefix: " + std::string(prefix.substr(0, 10)));
    }
  }
  return kind;
}

void put_utf8(std::string& out, uint32_t code, int tail, uint32_t lead) {
  out.push_back(static_cast<char>(lead | (code >> (6 * tail))));
  for (int shift = 6 * (tail - 1); shift >= 0; shift -= 6) {
    out.push_back(static_cast<char>(0x80 | ((code >> shift) & 0x3f)));
  }
}

// What stands between the quotes of one string, appended to `out`.
class StringBody {
 public:
  StringBody(LiteralSource& in, std::string& out, StringKind kind)
      : in_(in), out_(out), kind_(kind) {}

  void read() {
    const char quote = in_.peek();
    const bool triple = in_.peek(1) == quote && in_.peek(2) == quote;
    in_.skip(triple ? 3 : 1);
    while (true) {
      if (in_.at_end()) in_.fail("a string is not closed");
      const char c = in_.peek();
      if (c == quote && (!triple || (in_.peek(1) == quote && in_.peek(2) == quote))) {
        in_.skip(triple ? 3 : 1);
        return;
      }
      if (c == '\0') in_.fail("a null character");
      if ((c == '\n' || c == '\r') && !triple) in_.fail("a string is not closed");
      if (c == '\\') {
        read_escape();
      } else {
        read_plain(c);
      }
    }
  }

 private:
  void read_plain(char c) {
    if (kind_.bytes && static_cast<unsigned char>(c) >= 0x80) {
      in_.fail("bytes hold ASCII only");
    }
    in_.skip();
    if (c == '\r') {  // as Python reads source text
      if (in_.peek() == '\n') in_.skip();
      c = '\n';
    }
    out_.push_back(c);
  }

  void read_escape() {
    in_.skip();
    if (in_.at_end()) in_.fail("a string is not closed");
    const char c = in_.peek();
    if (kind_.raw) {
      out_.push_back('\\');
      read_plain(c);
      return;
    }
    static constexpr std::string_view kFrom = "\\'\"abfnrtv";
    static constexpr std::string_view kTo = "\\'\"\a\b\f\n\r\t\v";
    const size_t simple = kFrom.find(c);
    if (simple != std::string_view::npos && c != '\0') {
      out_.push_back(kTo[simple]);
      in_.skip();
    } else if (c == '\n' || c == '\r') {
      in_.skip();
      if (c == '\r' && in_.peek() == '\n') in_.skip();
    } else if (c >= '0' && c <= '7') {
      read_octal();
    } else if (c == 'x' || (!kind_.bytes && (c == 'u' || c == 'U'))) {
      in_.skip();
      put_code_point(read_hex(c == 'x' ? 2 : c == 'u' ? 4 : 8));
    } else if (c == 'N' && !kind_.bytes) {
      in_.fail("named characters are not supported");
    } else {
      out_.push_back('\\');  // as Python does with an escape it does not know
      read_plain(c);
    }
  }

  void read_octal() {
    uint32_t code = 0;
    for (int i = 0; i < 3 && in_.peek() >= '0' && in_.peek() <= '7'; ++i, in_.skip()) {
      code = code * 8 + static_cast<uint32_t>(in_.peek() - '0');
    }
    put_code_point(kind_.bytes ? code & 0xff : code);
  }

  uint32_t read_hex(int digits) {
    uint32_t code = 0;
    for (int i = 0; i < digits; ++i, in_.skip()) {
      if (digit_value(in_.peek()) >= 16) in_.fail("a truncated escape");
      code = code * 16 + static_cast<uint32_t>(digit_value(in_.peek()));
    }
    return code;
  }

  void put_code_point(uint32_t code) {
    if (kind_.bytes || code < 0x80) {
      out_.push_back(static_cast<char>(code));
    } else if (code < 0x800) {
      put_utf8(out_, code, 1, 0xc0);
    } else if (code < 0x10000) {
      put_utf8(out_, code, 2, 0xe0);
    } else if (code <= 0x10ffff) {
      put_utf8(out_, code, 3, 0xf0);
    } else {
      in_.fail("a code point beyond U+10FFFF");
    }
  }

  LiteralSource& in_;
  std::string& out_;
  StringKind kind_;
};

bool at_string(const LiteralSource& in) {
  size_t ahead = 0;
  while (ahead < 2 && is_name_start(in.peek(ahead))) ++ahead;
  return in.peek(ahead) == '\'' || in.peek(ahead) == '"';
}

}  // namespace

char encode_strings(LiteralSource& in, std::string& out) {
  MarshalWriter marshal(out);
  const size_t header = out.size();
  marshal.header('u', 0);
  char type = 'u';
  bool first = true;
  while (at_string(in)) {
    const StringKind kind = read_prefix(in);
    if (!first && kind.bytes != (type == 's')) in.fail("cannot mix bytes and str");
    type = kind.bytes ? 's' : 'u';
    first = false;
    StringBody(in, out, kind).read();
    in.skip_space();
  }
  if (first) in.fail("not a literal");
  out[header] = type;
  marshal.patch(header, static_cast<uint32_t>(out.size() - header - MarshalWriter::kHeaderBytes));
  return type;
}

}  // namespace azr::executor
