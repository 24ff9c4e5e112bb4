// Makes the two slow things once: the compiled module and the images.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "executor/engine/engine.h"

namespace azr::executor {

struct BootOptions {
  std::string initial_memory;
  std::string zip;
  std::vector<std::string> turns;  // sources, run one after the other
  uint64_t entropy = 1;            // decides the hash seed
  bool run_constructors = false;   // of C++ code; packages need them, the interpreter does not
  uint64_t memory_cap = uint64_t{512} << 20;
};

// Boots a guest, runs the turns and returns its packed memory (see pack_memory). Needs a thread
// with a large stack, which it makes itself. Throws std::runtime_error with the guest's stderr when
// a turn fails.
std::string build_image(const Engine& engine, const BootOptions& options);

}  // namespace azr::executor
