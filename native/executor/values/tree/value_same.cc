#include "executor/values/tree/value_same.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "executor/values/text/python_number.h"

namespace azr::executor {
namespace {

using Tuples = Sameness::Tuples;

bool within(double a, double b, double tolerance) {
  if (std::isinf(a) || std::isinf(b)) return false;
  return std::fabs(a - b) <= tolerance * std::max({1.0, std::fabs(a), std::fabs(b)});
}

bool same_double(double a, double b, double tolerance) {
  return a == b || (std::isnan(a) && std::isnan(b)) || within(a, b, tolerance);
}

const ValueNode& node_of(ValueAt value) { return value.reader->node(value.node); }

ValueAt child_of(ValueAt value, uint32_t index) {
  return {value.reader, value.reader->child(node_of(value), index)};
}

// Both are numbers.
bool same_python_number(ValueAt a, ValueAt b, double tolerance) {
  const PythonNumber left = python_number(*a.reader, node_of(a));
  const PythonNumber right = python_number(*b.reader, node_of(b));
  if (left == right) return true;
  const bool has_float =
      node_of(a).kind >= ValueKind::kFloat || node_of(b).kind >= ValueKind::kFloat;
  return tolerance > 0 && has_float && within(left.imaginary, right.imaginary, tolerance) &&
         within(nearest_double(left), nearest_double(right), tolerance);
}

// Both are of one kind, which is no container.
bool same_scalar(ValueAt a, ValueAt b, double tolerance) {
  const std::string_view left = a.reader->bytes(node_of(a));
  const std::string_view right = b.reader->bytes(node_of(b));
  switch (node_of(a).kind) {
    case ValueKind::kFloat:
      return same_double(load<double>(left), load<double>(right), tolerance);
    case ValueKind::kComplex:
      return same_double(load<double>(left), load<double>(right), tolerance) &&
             same_double(load<double>(left, 8), load<double>(right, 8), tolerance);
    case ValueKind::kBigInt:
      return left == right &&
             a.reader->is_negative(node_of(a)) == b.reader->is_negative(node_of(b));
    default:
      return left == right;
  }
}

bool same_kind(ValueKind a, ValueKind b, const Sameness& sameness) {
  if (a == b) return true;
  if (is_set(a) && is_set(b)) return sameness.across_types;
  const auto is_sequence = [](ValueKind kind) {
    return kind == ValueKind::kTuple || kind == ValueKind::kList;
  };
  return is_sequence(a) && is_sequence(b) && sameness.tuples != Tuples::kThemselves;
}

// Both are containers of one kind. Of a dict every other child is a key.
bool same_children(ValueAt a, ValueAt b, const Sameness& sameness) {
  const ValueKind kind = node_of(a).kind;
  const Sameness of_keys{sameness.across_types, Tuples::kThemselves, 0.0};
  Sameness of_items = sameness;
  if (sameness.tuples == Tuples::kListsOutermost) of_items.tuples = Tuples::kThemselves;
  for (uint32_t i = 0; i < node_of(a).count; ++i) {
    const bool is_key = is_set(kind) || (kind == ValueKind::kDict && i % 2 == 0);
    if (!same_value(child_of(a, i), child_of(b, i), is_key ? of_keys : of_items)) return false;
  }
  return true;
}

}  // namespace

bool same_value(ValueAt a, ValueAt b, const Sameness& sameness) {
  const ValueNode& left = node_of(a);
  const ValueNode& right = node_of(b);
  if (sameness.across_types && is_number(left.kind) && is_number(right.kind)) {
    return same_python_number(a, b, sameness.tolerance);
  }
  if (!same_kind(left.kind, right.kind, sameness)) return false;
  if (!is_container(left.kind)) return same_scalar(a, b, sameness.tolerance);
  return left.count == right.count && same_children(a, b, sameness);
}

}  // namespace azr::executor
