// Gives a module's functions other indices.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace azr::executor {

// The module with `indices[i]` wherever an instruction names function i, in as many bytes as it
// has: mostly five, as linkers write it. Throws std::runtime_error when `wasm` is not a module, has
// an unknown instruction, or leaves an index no room.
std::string renumber_functions(std::string_view wasm, const std::vector<uint32_t>& indices);

}  // namespace azr::executor
