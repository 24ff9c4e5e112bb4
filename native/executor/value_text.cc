#include "executor/value_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <vector>

#include "executor/literal.h"
#include "executor/printable.h"

namespace azr::executor {
namespace {

enum class Kind : uint8_t {
  kNone,
  kTrue,
  kFalse,
  kInt,
  kBigInt,
  kFloat,
  kComplex,
  kText,
  kBytes,
  kTuple,
  kList,
  kDict,
  kSet,
  kFrozenset,
};

// One decoded object. `first`/`count` locate its bytes in the frame or its children.
struct Node {
  Kind kind = Kind::kNone;
  bool open = false;  // a container still being read: a reference to it is a cycle
  bool hashable = true;
  uint32_t first = 0;
  uint32_t count = 0;
};

bool is_container(Kind kind) { return kind >= Kind::kTuple; }

struct Stop {
  TextStatus status;
};

class Reader {
 public:
  explicit Reader(std::string_view frame) : frame_(frame) {}

  uint32_t read_all() {
    const uint32_t root = read(0);
    if (at_ != frame_.size()) throw Stop{TextStatus::kMalformed};
    return root;
  }

  const Node& node(uint32_t index) const { return nodes_[index]; }
  uint32_t child(const Node& parent, uint32_t index) const {
    return children_[parent.first + index];
  }
  std::string_view bytes(const Node& node) const { return frame_.substr(node.first, node.count); }

 private:
  uint8_t take_byte() {
    if (at_ >= frame_.size()) throw Stop{TextStatus::kMalformed};
    return static_cast<uint8_t>(frame_[at_++]);
  }

  uint32_t take_u32() {
    uint32_t value = 0;
    for (int shift = 0; shift < 32; shift += 8) value |= uint32_t{take_byte()} << shift;
    return value;
  }

  void take_span(Node& node, Kind kind, size_t count) {
    if (count > frame_.size() - at_) throw Stop{TextStatus::kMalformed};
    node.kind = kind;
    node.first = static_cast<uint32_t>(at_);
    node.count = static_cast<uint32_t>(count);
    at_ += count;
  }

  uint32_t read(size_t depth) {
    if (depth > kMaxLiteralDepth) throw Stop{TextStatus::kNotAValue};
    const uint8_t byte = take_byte();
    const char type = static_cast<char>(byte & 0x7f);
    if (type == 'r') {
      const uint32_t reference = take_u32();
      if (reference >= references_.size()) throw Stop{TextStatus::kMalformed};
      const uint32_t target = references_[reference];
      if (nodes_[target].open) throw Stop{TextStatus::kNotAValue};
      return target;
    }
    const auto index = static_cast<uint32_t>(nodes_.size());
    nodes_.emplace_back();
    if ((byte & 0x80) != 0) references_.push_back(index);
    read_body(index, type, depth);
    return index;
  }

  void read_body(uint32_t index, char type, size_t depth) {
    Node& node = nodes_[index];
    switch (type) {
      case 'N':
        node.kind = Kind::kNone;
        return;
      case 'T':
        node.kind = Kind::kTrue;
        return;
      case 'F':
        node.kind = Kind::kFalse;
        return;
      case 'i':
        take_span(node, Kind::kInt, 4);
        return;
      case 'g':
        take_span(node, Kind::kFloat, 8);
        return;
      case 'y':
        take_span(node, Kind::kComplex, 16);
        return;
      case 'l':
        read_big_int(node);
        return;
      case 's':
        take_sized(node, Kind::kBytes, take_u32());
        return;
      case 'u':
      case 't':
      case 'a':
      case 'A':
        take_sized(node, Kind::kText, take_u32());
        return;
      case 'z':
      case 'Z':
        take_sized(node, Kind::kText, take_byte());
        return;
      case ')':
        read_items(index, Kind::kTuple, take_byte(), depth);
        return;
      case '(':
        read_items(index, Kind::kTuple, take_u32(), depth);
        return;
      case '[':
        read_items(index, Kind::kList, take_u32(), depth);
        return;
      case '<':
        read_items(index, Kind::kSet, take_u32(), depth);
        return;
      case '>':
        read_items(index, Kind::kFrozenset, take_u32(), depth);
        return;
      case '{':
        read_dict(index, depth);
        return;
      default:
        throw Stop{TextStatus::kNotAValue};
    }
  }

  void take_sized(Node& node, Kind kind, size_t count) { take_span(node, kind, count); }

  void read_big_int(Node& node) {
    const auto signed_count = static_cast<int32_t>(take_u32());
    const uint64_t limbs = static_cast<uint64_t>(std::abs(int64_t{signed_count}));
    take_span(node, Kind::kBigInt, 2 * limbs);
    // marshal never writes a zero at the top. A frame that does could make this number costly to
    // write and short as text, so that references to it would take quadratic time.
    if (limbs > 0 && frame_[at_ - 1] == '\0' && frame_[at_ - 2] == '\0') {
      throw Stop{TextStatus::kMalformed};
    }
    // The sign is the first of the four bytes before the digits: keep it with the span.
  }

  void read_items(uint32_t index, Kind kind, uint32_t count, size_t depth) {
    if (count > frame_.size() - at_) throw Stop{TextStatus::kMalformed};  // one byte each at least
    begin(index, kind);
    const size_t mark = pending_.size();
    for (uint32_t i = 0; i < count; ++i)
      push_item(depth, kind == Kind::kSet || kind == Kind::kFrozenset);
    finish(index, mark);
  }

  void read_dict(uint32_t index, size_t depth) {
    begin(index, Kind::kDict);
    const size_t mark = pending_.size();
    while (at_ < frame_.size() && (frame_[at_] & 0x7f) != '0') {
      push_item(depth, true);
      push_item(depth, false);
    }
    take_byte();
    finish(index, mark);
  }

  void begin(uint32_t index, Kind kind) {
    nodes_[index].kind = kind;
    nodes_[index].open = true;
  }

  void push_item(size_t depth, bool must_hash) {
    const uint32_t item = read(depth + 1);
    // Real dicts and sets hold hashable things only; a frame that says otherwise is forged.
    if (must_hash && !hashable(item)) throw Stop{TextStatus::kMalformed};
    pending_.push_back(item);
  }

  bool hashable(uint32_t index) const { return nodes_[index].hashable; }

  void finish(uint32_t index, size_t mark) {
    Node& node = nodes_[index];
    node.first = static_cast<uint32_t>(children_.size());
    node.count = static_cast<uint32_t>(pending_.size() - mark);
    children_.insert(children_.end(), pending_.begin() + static_cast<std::ptrdiff_t>(mark),
                     pending_.end());
    pending_.resize(mark);
    node.open = false;
    node.hashable = node.kind == Kind::kTuple || node.kind == Kind::kFrozenset;
    if (node.kind != Kind::kTuple) return;
    for (uint32_t i = 0; i < node.count; ++i) {
      node.hashable = node.hashable && hashable(child(node, i));
    }
  }

  std::string_view frame_;
  size_t at_ = 0;
  std::vector<Node> nodes_;
  std::vector<uint32_t> references_;
  std::vector<uint32_t> children_;
  std::vector<uint32_t> pending_;

  friend class Writer;
};

// ---- numbers

template <typename T>
T load(std::string_view bytes, size_t at = 0) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

// As repr(float) writes it; `plain` leaves out ".0", as inside a complex.
void write_double(std::string& out, double value, bool plain, bool always_sign = false) {
  if (std::signbit(value) && !std::isnan(value)) {
    out.push_back('-');
    value = -value;
  } else if (always_sign) {
    out.push_back('+');
  }
  if (std::isnan(value) || std::isinf(value)) {
    out += std::isnan(value) ? "nan" : "inf";
    return;
  }
  std::array<char, 40> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                    std::chars_format::scientific);
  const std::string_view shortest(buffer.data(), static_cast<size_t>(result.ptr - buffer.data()));
  const size_t mark = shortest.find('e');
  int exponent = 0;
  const char* digits_of_exponent = shortest.data() + mark + (shortest[mark + 1] == '+' ? 2 : 1);
  std::from_chars(digits_of_exponent, shortest.data() + shortest.size(), exponent);
  std::string digits(1, shortest[0]);
  if (mark > 2) digits += shortest.substr(2, mark - 2);
  if (exponent < -4 || exponent >= 16) {
    out.push_back(digits[0]);
    if (digits.size() > 1) out.append(".").append(digits, 1);
    out += exponent < 0 ? "e-" : "e+";
    const int size = std::abs(exponent);
    if (size < 10) out.push_back('0');
    out += std::to_string(size);
    return;
  }
  if (exponent < 0) {
    out += "0.";
    out.append(static_cast<size_t>(-exponent - 1), '0');
    out += digits;
    return;
  }
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() < whole) digits.append(whole - digits.size(), '0');
  out.append(digits, 0, whole);
  if (digits.size() > whole) {
    out.append(".").append(digits, whole);
  } else if (!plain) {
    out += ".0";
  }
}

void write_complex(std::string& out, double real, double imaginary) {
  if (real == 0.0 && !std::signbit(real)) {
    write_double(out, imaginary, true);
    out.push_back('j');
    return;
  }
  out.push_back('(');
  write_double(out, real, true);
  write_double(out, imaginary, true, true);
  out += "j)";
}

void write_big_int(std::string& out, std::string_view limbs, bool negative) {
  std::vector<uint32_t> parts;  // base 10^9, least significant first
  for (size_t at = limbs.size(); at >= 2; at -= 2) {
    uint64_t carry = load<uint16_t>(limbs, at - 2);
    if (carry > 0x7fff) throw Stop{TextStatus::kMalformed};
    for (uint32_t& part : parts) {
      carry += uint64_t{part} << 15;
      part = static_cast<uint32_t>(carry % 1000000000);
      carry /= 1000000000;
    }
    if (carry > 0) parts.push_back(static_cast<uint32_t>(carry));
    if (parts.size() > kMaxIntDigits / 9 + 1) throw Stop{TextStatus::kTooLarge};
  }
  std::string digits = parts.empty() ? "0" : std::to_string(parts.back());
  for (size_t i = parts.empty() ? 0 : parts.size() - 1; i-- > 0;) {
    const std::string part = std::to_string(parts[i]);
    digits.append(9 - part.size(), '0').append(part);
  }
  if (digits.size() > kMaxIntDigits) throw Stop{TextStatus::kTooLarge};
  if (negative && digits != "0") out.push_back('-');
  out += digits;
}

// ---- strings

constexpr std::string_view kHex = "0123456789abcdef";

void write_escape(std::string& out, char mark, uint32_t code, int digits) {
  out.push_back('\\');
  out.push_back(mark);
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4)
    out.push_back(kHex[(code >> shift) & 15]);
}

bool is_printable(uint32_t code) {
  const auto* after = std::upper_bound(
      kPrintable.begin(), kPrintable.end(), code,
      [](uint32_t wanted, const CodePointRange& range) { return wanted < range.first; });
  return after != kPrintable.begin() && code <= (after - 1)->last;
}

// Writes an ASCII character of a string or bytes literal.
void write_ascii(std::string& out, char c, char quote) {
  const auto byte = static_cast<uint8_t>(c);
  if (c == quote || c == '\\') {
    out.push_back('\\');
    out.push_back(c);
  } else if (c == '\n' || c == '\r' || c == '\t') {
    out.push_back('\\');
    out.push_back(c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
  } else if (byte < 0x20 || byte >= 0x7f) {
    write_escape(out, 'x', byte, 2);
  } else {
    out.push_back(c);
  }
}

char pick_quote(std::string_view text) {
  const bool single = text.find('\'') != std::string_view::npos;
  return single && text.find('"') == std::string_view::npos ? '"' : '\'';
}

// Length of the UTF-8 sequence at `at` and its code point; surrogates are allowed.
size_t decode_utf8(std::string_view text, size_t at, uint32_t& code) {
  const auto lead = static_cast<uint8_t>(text[at]);
  const size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || at + length > text.size()) throw Stop{TextStatus::kMalformed};
  code = lead & (0xff >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<uint8_t>(text[at + i]);
    if ((byte & 0xc0) != 0x80) throw Stop{TextStatus::kMalformed};
    code = (code << 6) | (byte & 0x3f);
  }
  const uint32_t smallest = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
  if (code < smallest || code > 0x10ffff) throw Stop{TextStatus::kMalformed};
  return length;
}

void write_text(std::string& out, std::string_view text) {
  const char quote = pick_quote(text);
  out.push_back(quote);
  for (size_t at = 0; at < text.size();) {
    if (static_cast<uint8_t>(text[at]) < 0x80) {
      write_ascii(out, text[at++], quote);
      continue;
    }
    uint32_t code = 0;
    const size_t length = decode_utf8(text, at, code);
    if (is_printable(code)) {
      out.append(text, at, length);
    } else if (code < 0x100) {
      write_escape(out, 'x', code, 2);
    } else if (code < 0x10000) {
      write_escape(out, 'u', code, 4);
    } else {
      write_escape(out, 'U', code, 8);
    }
    at += length;
  }
  out.push_back(quote);
}

void write_bytes(std::string& out, std::string_view bytes) {
  const char quote = pick_quote(bytes);
  out.push_back('b');
  out.push_back(quote);
  for (const char c : bytes) write_ascii(out, c, quote);
  out.push_back(quote);
}

class Writer {
 public:
  Writer(const Reader& reader, std::string_view frame, const TextOptions& options)
      : reader_(reader), frame_(frame), options_(options) {}

  // `depth` bounds the output's nesting, which shared references can make deeper than the frame.
  void write(std::string& out, uint32_t index, size_t depth) {
    if (depth > kMaxLiteralDepth) throw Stop{TextStatus::kNotAValue};
    const Node& node = reader_.node(index);
    if (is_container(node.kind)) {
      write_container(out, node, depth);
    } else {
      write_scalar(out, node);
    }
    spent_ += 1;
    if (out.size() > options_.max_bytes || spent_ > options_.max_bytes) {
      throw Stop{TextStatus::kTooLarge};
    }
  }

 private:
  void write_scalar(std::string& out, const Node& node) {
    const std::string_view bytes = reader_.bytes(node);
    switch (node.kind) {
      case Kind::kNone:
        out += "None";
        return;
      case Kind::kTrue:
        out += "True";
        return;
      case Kind::kFalse:
        out += "False";
        return;
      case Kind::kInt:
        out += std::to_string(load<int32_t>(bytes));
        return;
      case Kind::kBigInt:
        write_big_int(out, bytes, load<int32_t>(frame_, node.first - 4) < 0);
        return;
      case Kind::kFloat:
        write_double(out, load<double>(bytes), false);
        return;
      case Kind::kComplex:
        write_complex(out, load<double>(bytes), load<double>(bytes, 8));
        return;
      case Kind::kText:
        check_room(out, bytes);
        write_text(out, bytes);
        return;
      default:
        check_room(out, bytes);
        write_bytes(out, bytes);
        return;
    }
  }

  void check_room(const std::string& out, std::string_view bytes) const {
    // Escaping never shrinks the text; this only avoids building what cannot fit.
    if (out.size() + bytes.size() > options_.max_bytes) throw Stop{TextStatus::kTooLarge};
  }

  void write_container(std::string& out, const Node& node, size_t depth) {
    switch (node.kind) {
      case Kind::kTuple:
        out.push_back('(');
        write_items(out, node, depth);
        if (node.count == 1) out.push_back(',');
        out.push_back(')');
        return;
      case Kind::kList:
        out.push_back('[');
        write_items(out, node, depth);
        out.push_back(']');
        return;
      case Kind::kDict:
        write_dict(out, node, depth);
        return;
      default:
        write_set(out, node, depth);
        return;
    }
  }

  void write_items(std::string& out, const Node& node, size_t depth) {
    for (uint32_t i = 0; i < node.count; ++i) {
      if (i > 0) out += ", ";
      write(out, reader_.child(node, i), depth + 1);
    }
  }

  void write_dict(std::string& out, const Node& node, size_t depth) {
    if (options_.sort_dicts) {
      out.push_back('{');
      write_sorted(out, node, depth, 2);
      out.push_back('}');
      return;
    }
    out.push_back('{');
    for (uint32_t i = 0; i + 1 < node.count; i += 2) {
      if (i > 0) out += ", ";
      write_pair(out, node, i, depth);
    }
    out.push_back('}');
  }

  void write_pair(std::string& out, const Node& node, uint32_t i, size_t depth) {
    write(out, reader_.child(node, i), depth + 1);
    out += ": ";
    write(out, reader_.child(node, i + 1), depth + 1);
  }

  void write_set(std::string& out, const Node& node, size_t depth) {
    const bool frozen = node.kind == Kind::kFrozenset;
    if (node.count == 0) {
      out += frozen ? "frozenset()" : "set()";
      return;
    }
    out += frozen ? "frozenset({" : "{";
    write_sorted(out, node, depth, 1);
    out += frozen ? "})" : "}";
  }

  // Integers first and by size, then everything else by its text.
  static bool before(const std::string& a, const std::string& b) {
    const bool a_int = is_integer(a);
    const bool b_int = is_integer(b);
    if (a_int != b_int) return a_int;
    if (!a_int) return a < b;
    const bool a_negative = a[0] == '-';
    if (a_negative != (b[0] == '-')) return a_negative;
    const bool smaller = a.size() != b.size() ? a.size() < b.size() : a < b;
    return a != b && smaller != a_negative;
  }

  static bool is_integer(const std::string& text) {
    const size_t from = text[0] == '-' ? 1 : 0;
    return text.find_first_not_of("0123456789", from) == std::string::npos && text.size() > from;
  }

  void write_sorted(std::string& out, const Node& node, size_t depth, uint32_t step) {
    std::vector<std::string> items(node.count / step);
    size_t total = out.size();
    for (uint32_t i = 0; i < items.size(); ++i) {
      if (step == 1) {
        write(items[i], reader_.child(node, i), depth + 1);
      } else {
        write_pair(items[i], node, 2 * i, depth);
      }
      total += items[i].size();
      if (total > options_.max_bytes) throw Stop{TextStatus::kTooLarge};
    }
    std::sort(items.begin(), items.end(), before);
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out += ", ";
      out += items[i];
    }
  }

  const Reader& reader_;
  std::string_view frame_;
  TextOptions options_;
  size_t spent_ = 0;
};

}  // namespace

TextStatus write_value_text(std::string_view marshal, const TextOptions& options,
                            std::string& text) {
  text.clear();
  if (marshal.size() > UINT32_MAX) return TextStatus::kTooLarge;
  try {
    Reader reader(marshal);
    const uint32_t root = reader.read_all();
    Writer(reader, marshal, options).write(text, root, 0);
    return TextStatus::kOk;
  } catch (const Stop& stop) {
    text.clear();
    return stop.status;
  }
}

}  // namespace azr::executor
