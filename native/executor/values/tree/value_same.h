// Whether two values that have been read are the same.
#pragma once

#include <cstdint>

#include "executor/values/marshal_reader.h"

namespace azr::executor {

struct Sameness {
  // Numbers as Python's ==: True, 1, 1.0 and 1+0j are one, a set is its frozenset, and nan is
  // nothing, not even itself. Without it types count, and nan is itself.
  bool across_types = false;
  // A tuple is the list of its items; in keys and elements of sets, where no list can be, nothing
  // changes.
  enum class Tuples : uint8_t { kThemselves, kListsOutermost, kLists } tuples = Tuples::kThemselves;
  // Of floats outside of keys and sets: relative to the larger one or, below 1.0, absolute.
  double tolerance = 0.0;
};

struct ValueAt {
  const MarshalReader* reader = nullptr;
  uint32_t node = 0;
};

// Linear in the smaller value. Both stand in trees whose sets and dicts are in one order and
// without repeats: see value_tree.h.
bool same_value(ValueAt a, ValueAt b, const Sameness& sameness);

}  // namespace azr::executor
