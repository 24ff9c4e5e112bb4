// Why a worker gives up a job without an outcome: what its own parts throw.
#pragma once

#include <stdexcept>

namespace azr::executor {

// The machine, or our own code, did not do what it should: it says nothing of the program.
struct MachineFailure : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct Stopped {};  // by another thread
struct NetHit {};   // for the first time

}  // namespace azr::executor
