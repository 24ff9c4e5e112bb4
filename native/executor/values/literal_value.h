// What literals mean, found out on their text alone: no Python object is made of it.
//
// All of it takes n log n steps for any text. Throws LiteralError.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "executor/values/literal.h"
#include "executor/values/tree/value_same.h"

namespace azr::executor {

// `hash_mask`: see HashKey; for tests.
bool same_literals(std::string_view a, std::string_view b, const Sameness& sameness, Keys keys,
                   uint64_t hash_mask = ~uint64_t{0});

// The text that repr() gives for the value, set elements sorted.
std::string canonical_literal(std::string_view text, size_t max_bytes);

// The same for what stands between a call's parentheses.
std::string canonical_arguments(std::string_view text, size_t max_bytes);

// The name of the value's type, as in Python; None's is "None".
std::string literal_type(std::string_view text);

// Whether there is a set or a dict in it.
bool has_tables(std::string_view text);

// Of each argument its name, empty where it has none, and the name of its type.
std::vector<std::pair<std::string, std::string>> argument_types(std::string_view text);

}  // namespace azr::executor
