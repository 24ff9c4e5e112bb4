// Strings of a literal: str and bytes, with their prefixes, quotes and escapes.
#pragma once

#include <string>

#include "executor/values/literals/literal_source.h"

namespace azr::executor {

// Reads one string, or several side by side, and appends it to `out`. Returns marshal's type: 'u'
// for str, 's' for bytes.
char encode_strings(LiteralSource& in, std::string& out);

}  // namespace azr::executor
