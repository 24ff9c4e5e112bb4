// Reading (of digits, in any base), then the value (integers of any size, in marshal's base 2^15),
// then what is written.
#include "executor/values/literals/literal_number.h"

#include <algorithm>
#include <charconv>
#include <clocale>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "executor/values/marshal_writer.h"

namespace azr::executor {
namespace {

// The digits of an integer in base 2^15, least significant first. A string, since that keeps seven
// of them without an allocation.
using Magnitude = std::u16string;

// The first integer of three limbs, which is written with all of them.
constexpr int32_t kFirstLong = 1 << 30;

struct Number {
  bool is_imaginary = false;
  bool is_float = false;
  double real = 0;
  Magnitude magnitude;  // of an integer
};

// Sixty bits of an integer, so that four limbs fit: sums of products stay within 128 bits.
constexpr uint64_t kWide = uint64_t{1} << 60;
__extension__ using uint128 = unsigned __int128;

// Decimal digits, eighteen at a time: that many fit in sixty bits.
Magnitude from_decimal(std::string_view digits) {
  std::vector<uint64_t> wide;  // base 2^60, least significant first
  for (size_t i = 0; i < digits.size();) {
    uint64_t carry = 0;
    uint64_t scale = 1;
    for (const size_t end = std::min(i + 18, digits.size()); i < end; ++i, scale *= 10) {
      carry = carry * 10 + static_cast<uint64_t>(digits[i] - '0');
    }
    for (uint64_t& part : wide) {
      const uint128 sum = uint128{part} * scale + carry;
      part = static_cast<uint64_t>(sum & (kWide - 1));
      carry = static_cast<uint64_t>(sum >> 60);
    }
    if (carry > 0) wide.push_back(carry);
  }
  Magnitude magnitude;
  for (const uint64_t part : wide) {
    for (int shift = 0; shift < 60; shift += 15) {
      magnitude.push_back(static_cast<char16_t>(part >> shift & 0x7fff));
    }
  }
  return magnitude;
}

double as_double(const Magnitude& magnitude) {
  double value = 0;
  for (size_t i = magnitude.size(); i-- > 0;) value = value * 32768.0 + magnitude[i];
  return value;
}

double signed_double(const Number& number, bool negative) {
  const double value =
      number.is_float || number.is_imaginary ? number.real : as_double(number.magnitude);
  return negative ? -value : value;
}

// Decimal text to the nearest double; beyond the range it is inf or 0, as in Python.
double parse_double(const std::string& text) {
  double value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc::result_out_of_range) return value;
  static locale_t c_locale = newlocale(LC_ALL_MASK, "C", nullptr);
  return strtod_l(text.c_str(), nullptr, c_locale);
}

// ---- reading

// Digits of `base` with underscores between them, appended to `digits`.
void read_digits(LiteralSource& in, int base, std::string& digits) {
  const auto is_digit_of_base = [base](char c) { return digit_value(c) < base; };
  while (true) {
    const std::string_view run = in.take_while(is_digit_of_base);
    digits += run;
    if (run.empty() || in.peek() != '_' || !is_digit_of_base(in.peek(1))) return;
    in.skip();
  }
}

void read_based_integer(LiteralSource& in, Number& number) {
  const char mark = to_lower(in.peek(1));
  const int bits = mark == 'x' ? 4 : mark == 'o' ? 3 : 1;
  in.skip(2);
  if (in.peek() == '_') in.skip();
  std::string digits;
  read_digits(in, 1 << bits, digits);
  if (digits.empty()) in.fail("digits are missing");
  uint32_t pending = 0;
  int have = 0;
  for (size_t i = digits.size(); i-- > 0;) {
    pending |= static_cast<uint32_t>(digit_value(digits[i])) << have;
    have += bits;
    if (have >= 15) {
      number.magnitude.push_back(static_cast<char16_t>(pending & 0x7fff));
      pending >>= 15;
      have -= 15;
    }
  }
  number.magnitude.push_back(static_cast<char16_t>(pending));
}

// `.5` and `e-9` behind the whole digits, which must then be a float's.
void read_fraction(LiteralSource& in, Number& number, std::string& digits) {
  if (in.peek() == '.') {
    number.is_float = true;
    digits.push_back('.');
    in.skip();
    read_digits(in, 10, digits);
    if (digits.size() == 1) in.fail("digits are missing");
  }
  const char sign = in.peek(1);
  if ((in.peek() == 'e' || in.peek() == 'E') &&
      (is_digit(sign) || ((sign == '-' || sign == '+') && is_digit(in.peek(2))))) {
    number.is_float = true;
    digits.push_back('e');
    in.skip();
    if (in.peek() == '-') digits.push_back('-');
    if (!is_digit(in.peek())) in.skip();
    read_digits(in, 10, digits);
  }
}

void read_decimal(LiteralSource& in, Number& number) {
  std::string digits;
  read_digits(in, 10, digits);
  read_fraction(in, number, digits);
  if (in.peek() == 'j' || in.peek() == 'J') {
    number.is_imaginary = true;
    in.skip();
  }
  if (number.is_float || number.is_imaginary) {
    number.real = parse_double(digits);
    return;
  }
  if (digits.size() > 1 && digits[0] == '0' && digits.find_first_not_of('0') != std::string::npos) {
    in.fail("leading zeros in a decimal integer");
  }
  if (digits.size() > kMaxIntDigits) in.fail("integer of more than 4300 digits");
  number.magnitude = from_decimal(digits);
}

void read_non_finite(LiteralSource& in, Number& number) {
  const std::string_view name = in.read_name();
  if (name.substr(0, 3) != "inf" && name.substr(0, 3) != "nan") in.fail("a number is missing");
  if (name.size() > 3 && name.substr(3) != "j") in.fail("a number is missing");
  number.is_imaginary = name.size() > 3;
  number.is_float = true;
  number.real = name[0] == 'i' ? HUGE_VAL : std::nan("");
}

Number read_number(LiteralSource& in) {
  Number number;
  const char mark = to_lower(in.peek(1));
  if (in.peek() == '0' && (mark == 'x' || mark == 'o' || mark == 'b')) {
    read_based_integer(in, number);
  } else if (is_digit(in.peek()) || in.peek() == '.') {
    read_decimal(in, number);
  } else {
    read_non_finite(in, number);
  }
  if (is_name_part(in.peek())) in.fail("a number runs into a name");
  return number;
}

bool read_sign(LiteralSource& in) {
  const bool negative = in.peek() == '-';
  if (in.peek() == '-' || in.peek() == '+') {
    in.skip();
    in.skip_space();
  }
  return negative;
}

// ---- writing

void put_integer(std::string& out, const Number& number, bool negative) {
  MarshalWriter marshal(out);
  size_t limbs = number.magnitude.size();
  while (limbs > 0 && number.magnitude[limbs - 1] == 0) --limbs;
  if (limbs <= 2) {
    int32_t small = 0;
    for (size_t i = limbs; i-- > 0;) small = small * 32768 + number.magnitude[i];
    marshal.integer(static_cast<uint32_t>(negative ? -small : small));
    return;
  }
  const auto count = static_cast<int32_t>(limbs);
  marshal.header('l', static_cast<uint32_t>(negative ? -count : count));
  for (size_t i = 0; i < limbs; ++i) {
    out.push_back(static_cast<char>(number.magnitude[i] & 0xff));
    out.push_back(static_cast<char>(number.magnitude[i] >> 8));
  }
}

void put_complex(std::string& out, double real, double imaginary) {
  out.push_back('y');
  MarshalWriter marshal(out);
  marshal.binary64(real);
  marshal.binary64(imaginary);
}

// Writes a plain integer of at most nine digits: most numbers there are. Whatever else stands here
// is left alone.
bool encode_short_integer(LiteralSource& in, std::string& out) {
  const size_t start = in.position();
  const bool negative = in.peek() == '-';
  if (negative) in.skip();
  const std::string_view digits = in.take_while(is_digit);
  const bool is_short =
      !digits.empty() && digits.size() <= 9 && (digits[0] != '0' || digits.size() == 1);
  const char next = in.peek();
  if (is_short && (next == ',' || next == ':' || next == ']' || next == ')' || next == '}')) {
    int32_t value = 0;
    for (const char digit : digits) value = value * 10 + (digit - '0');
    if (value < kFirstLong) {
      MarshalWriter(out).integer(static_cast<uint32_t>(negative ? -value : value));
      return true;
    }
  }
  in.return_to(start);
  return false;
}

}  // namespace

char encode_number(LiteralSource& in, std::string& out) {
  if (encode_short_integer(in, out)) return 'i';
  const bool negative = read_sign(in);
  const Number number = read_number(in);
  const size_t after = in.position();
  in.skip_space();
  if (!number.is_imaginary && (in.peek() == '+' || in.peek() == '-')) {
    const bool imaginary_negative = read_sign(in);
    const Number imaginary = read_number(in);
    if (!imaginary.is_imaginary) in.fail("arithmetic is not a literal");
    put_complex(out, signed_double(number, negative), signed_double(imaginary, imaginary_negative));
    return 'y';
  }
  in.return_to(after);
  if (number.is_imaginary) {
    put_complex(out, 0.0, signed_double(number, negative));
    return 'y';
  }
  if (number.is_float) {
    out.push_back('g');
    MarshalWriter(out).binary64(signed_double(number, negative));
    return 'g';
  }
  put_integer(out, number, negative);
  return 'i';
}

}  // namespace azr::executor
