#include "executor/values/text/scalar_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include "executor/values/literal.h"
#include "executor/values/marshal_reader.h"
#include "executor/values/text/printable.h"

namespace azr::executor {
namespace {

// ---- numbers

// The fewest digits that name a finite double that is not negative, and the power of ten of the
// first.
struct Decimal {
  std::string digits;
  int exponent = 0;
};

Decimal shortest(double value) {
  std::array<char, 40> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value,
                                    std::chars_format::scientific);
  const std::string_view text(buffer.data(), static_cast<size_t>(result.ptr - buffer.data()));
  const size_t mark = text.find('e');
  Decimal decimal{std::string(1, text[0])};
  if (mark > 2) decimal.digits += text.substr(2, mark - 2);
  const char* exponent = text.data() + mark + (text[mark + 1] == '+' ? 2 : 1);
  std::from_chars(exponent, text.data() + text.size(), decimal.exponent);
  return decimal;
}

void write_scientific(std::string& out, const Decimal& decimal) {
  out.push_back(decimal.digits[0]);
  if (decimal.digits.size() > 1) out.append(".").append(decimal.digits, 1);
  out += decimal.exponent < 0 ? "e-" : "e+";
  const int size = std::abs(decimal.exponent);
  if (size < 10) out.push_back('0');
  out += std::to_string(size);
}

// `plain` leaves out ".0".
void write_positional(std::string& out, Decimal decimal, bool plain) {
  std::string& digits = decimal.digits;
  if (decimal.exponent < 0) {
    out += "0.";
    out.append(static_cast<size_t>(-decimal.exponent - 1), '0');
    out += digits;
    return;
  }
  const auto whole = static_cast<size_t>(decimal.exponent) + 1;
  if (digits.size() < whole) digits.append(whole - digits.size(), '0');
  out.append(digits, 0, whole);
  if (digits.size() > whole) {
    out.append(".").append(digits, whole);
  } else if (!plain) {
    out += ".0";
  }
}

// `plain` and `always_sign`: as inside a complex.
void write_real(std::string& out, double value, bool plain, bool always_sign) {
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
  Decimal decimal = shortest(value);
  if (decimal.exponent < -4 || decimal.exponent >= 16) {
    write_scientific(out, decimal);
  } else {
    write_positional(out, std::move(decimal), plain);
  }
}

uint32_t limb_at(std::string_view limbs, size_t index) {
  const uint32_t limb = load<uint16_t>(limbs, 2 * index);
  if (limb > 0x7fff) throw NoText{TextStatus::kMalformed};
  return limb;
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
  if (lead < 0xc2 || lead > 0xf4 || at + length > text.size()) throw NoText{TextStatus::kMalformed};
  code = lead & (0xff >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<uint8_t>(text[at + i]);
    if ((byte & 0xc0) != 0x80) throw NoText{TextStatus::kMalformed};
    code = (code << 6) | (byte & 0x3f);
  }
  const uint32_t smallest = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
  if (code < smallest || code > 0x10ffff) throw NoText{TextStatus::kMalformed};
  return length;
}

}  // namespace

void write_double(std::string& out, double value) { write_real(out, value, false, false); }

void write_complex(std::string& out, double real, double imaginary) {
  if (real == 0.0 && !std::signbit(real)) {
    write_real(out, imaginary, true, false);
    out.push_back('j');
    return;
  }
  out.push_back('(');
  write_real(out, real, true, false);
  write_real(out, imaginary, true, true);
  out += "j)";
}

void write_big_int(std::string& out, std::string_view limbs, bool negative) {
  std::vector<uint32_t> parts;  // base 10^9, least significant first
  for (size_t left = limbs.size() / 2; left > 0;) {
    // Two limbs at a time, from the top; an odd one first.
    const int shift = left % 2 == 1 ? 15 : 30;
    uint64_t carry = 0;
    for (int taken = 0; taken < shift; taken += 15) carry = carry << 15 | limb_at(limbs, --left);
    for (uint32_t& part : parts) {
      carry += uint64_t{part} << shift;
      part = static_cast<uint32_t>(carry % 1000000000);
      carry /= 1000000000;
    }
    for (; carry > 0; carry /= 1000000000) {
      parts.push_back(static_cast<uint32_t>(carry % 1000000000));
    }
    if (parts.size() > kMaxIntDigits / 9 + 1) throw NoText{TextStatus::kTooLarge};
  }
  std::string digits = parts.empty() ? "0" : std::to_string(parts.back());
  for (size_t i = parts.empty() ? 0 : parts.size() - 1; i-- > 0;) {
    const std::string part = std::to_string(parts[i]);
    digits.append(9 - part.size(), '0').append(part);
  }
  if (digits.size() > kMaxIntDigits) throw NoText{TextStatus::kTooLarge};
  if (negative && digits != "0") out.push_back('-');
  out += digits;
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

}  // namespace azr::executor
