#include "executor/values/text/python_number.h"

#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>

namespace azr::executor {
namespace {

constexpr uint32_t kLimbBits = 15;
constexpr uint32_t kSmallBits = 60;

// So that equal parts have equal bits, and so has nan.
double with_one_spelling(double value) {
  return std::isnan(value) ? std::numeric_limits<double>::quiet_NaN() : value + 0.0;
}

// odd * 2 ** zeros, where `odd` has no more than 60 bits.
PythonNumber from_odd(uint64_t odd, uint32_t zeros, bool negative) {
  PythonNumber number;
  const bool is_small = static_cast<uint32_t>(std::bit_width(odd)) + zeros <= kSmallBits;
  number.exponent = is_small ? 0 : zeros;
  number.small = static_cast<int64_t>(is_small ? odd << zeros : odd);
  if (negative) number.small = -number.small;
  return number;
}

uint32_t limb_at(std::string_view limbs, size_t index) { return load<uint16_t>(limbs, 2 * index); }

// `limbs` has no zero at the top.
PythonNumber from_limbs(std::string_view limbs, bool negative) {
  const size_t count = limbs.size() / 2;
  size_t first = 0;
  while (first < count && limb_at(limbs, first) == 0) ++first;
  if (first == count) return {};
  const auto zeros = static_cast<uint32_t>(std::countr_zero(limb_at(limbs, first)));
  const size_t top = static_cast<size_t>(std::bit_width(limb_at(limbs, count - 1)));
  if (kLimbBits * (count - 1 - first) + top > kSmallBits + zeros) {
    PythonNumber number;
    number.is_negative = negative;
    number.limbs = limbs;
    return number;
  }
  uint64_t odd = limb_at(limbs, first) >> zeros;
  uint32_t shift = kLimbBits - zeros;
  for (size_t i = first + 1; i < count; ++i, shift += kLimbBits) {
    odd |= uint64_t{limb_at(limbs, i)} << shift;
  }
  return from_odd(odd, kLimbBits * static_cast<uint32_t>(first) + zeros, negative);
}

// Of a finite double without a fraction.
PythonNumber from_integral(double value) {
  if (std::fabs(value) < 0x1p60) {
    PythonNumber number;
    number.small = static_cast<int64_t>(value);
    return number;
  }
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(value), &exponent);
  const auto digits = static_cast<uint64_t>(fraction * 0x1p53);
  const int zeros = std::countr_zero(digits);
  return from_odd(digits >> zeros, static_cast<uint32_t>(exponent - 53 + zeros), value < 0);
}

PythonNumber from_double(double value) {
  if (std::isfinite(value) && std::trunc(value) == value) return from_integral(value);
  PythonNumber number;
  number.real = with_one_spelling(value);
  return number;
}

PythonNumber from_complex(double real, double imaginary) {
  if (imaginary == 0.0) return from_double(real);
  PythonNumber number;
  number.real = with_one_spelling(real);
  number.imaginary = with_one_spelling(imaginary);
  return number;
}

}  // namespace

PythonNumber python_number(const MarshalReader& reader, const ValueNode& node) {
  PythonNumber number;
  const std::string_view bytes = reader.bytes(node);
  switch (node.kind) {
    case ValueKind::kTrue:
      number.small = 1;
      return number;
    case ValueKind::kFalse:
      return number;
    case ValueKind::kInt:
      number.small = load<int32_t>(bytes);
      return number;
    case ValueKind::kBigInt:
      return from_limbs(bytes, reader.is_negative(node));
    case ValueKind::kFloat:
      return from_double(load<double>(bytes));
    default:
      return from_complex(load<double>(bytes), load<double>(bytes, 8));
  }
}

double nearest_double(const PythonNumber& number) {
  if (number.limbs.empty()) {
    return std::ldexp(static_cast<double>(number.small), static_cast<int>(number.exponent)) +
           number.real;
  }
  double value = 0;
  for (size_t i = number.limbs.size() / 2; i-- > 0;) {
    value = std::ldexp(value, kLimbBits) + limb_at(number.limbs, i);
  }
  return number.is_negative ? -value : value;
}

}  // namespace azr::executor
