// A number as Python's == takes it: 1, 1.0, True and 1+0j are one.
#pragma once

#include <cmath>
#include <cstdint>
#include <string_view>

#include "executor/values/marshal_reader.h"

namespace azr::executor {

// What is integral is held as an integer, whatever its type, and what has no imaginary part as a
// real: two numbers are equal in Python exactly if all of this is, where nan equals nothing.
struct PythonNumber {
  // An integer of 60 bits is `small`; one of 60 bits before zeros is small * 2 ** exponent, with
  // the smallest `small`.
  int64_t small = 0;
  uint32_t exponent = 0;
  bool is_negative = false;  // the sign of `limbs`
  std::string_view limbs;    // the digits of any other integer, as in marshal
  double real = 0.0;         // of what is no integer; 0.0 otherwise
  double imaginary = 0.0;

  bool has_nan() const { return std::isnan(real) || std::isnan(imaginary); }
  bool operator==(const PythonNumber&) const = default;
};

// `node` is a number. Time is linear in its digits, of which the result refers to the reader's.
PythonNumber python_number(const MarshalReader& reader, const ValueNode& node);

// The nearest double, as the parser of literals has it for complex numbers.
double nearest_double(const PythonNumber& number);

}  // namespace azr::executor
