// Whether a way of knowing what was written works on this machine, now: found out by trying it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "executor/memory/dirty/dirty_pages.h"
#include "executor/memory/slot.h"

namespace azr::executor {

struct Trial {
  const Way* way;
  std::string problem;  // empty: it works
};

// Tries every way. Wasmtime's engine must have been made, because of its signal handler.
std::vector<Trial> try_all_ways();

// The fastest way that works, or the one called `name` unless that is empty. Throws
// std::invalid_argument when there is no such way, and std::runtime_error, naming the problem, when
// it does not work here.
const Way& choose_way(std::string_view name);

// Writes to cold pages of a slot that no run has used yet, restores it, and compares it whole.
// Throws std::runtime_error when something stays.
void prove(Slot& slot);

}  // namespace azr::executor
