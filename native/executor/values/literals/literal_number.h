// Numbers of a literal: int, float and complex, with their signs.
#pragma once

#include <string>

#include "executor/values/literals/literal_source.h"

namespace azr::executor {

// Reads `-0x1f`, `1_000`, `1e-9`, `inf`, `3+4j` and appends it to `out`. Returns 'i', 'g' or 'y':
// marshal's type, 'i' for an integer of any size.
char encode_number(LiteralSource& in, std::string& out);

}  // namespace azr::executor
