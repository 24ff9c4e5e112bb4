// Files that a job brings into /tmp of a run, and those that it wants back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "executor/wasi/tmp_files.h"

namespace azr::executor {

// A path below /tmp, checked by sandbox_wasm/job_files.py, and bytes.
using NamedFiles = std::vector<std::pair<std::string, std::string>>;

// Whether one of them is a Python module: its folder is searched as a script's own is.
bool has_modules(const NamedFiles& files);

// Fuel for putting these files where a run finds them: as if the program wrote them.
uint64_t price_of(const NamedFiles& files);

// Puts them there, and makes the folders they lie in. Throws std::runtime_error when there is no
// room, which their bounds leave.
void place(const NamedFiles& files, TmpFiles& tmp);

// Those of the names that are files now. Nothing when they hold more than `max_bytes` together.
std::optional<NamedFiles> take(const std::vector<std::string>& names, const TmpFiles& tmp,
                               uint64_t max_bytes);

}  // namespace azr::executor
