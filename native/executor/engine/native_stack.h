// The stack of a thread that runs guests.
#pragma once

#include <cstdint>

namespace azr::executor {

// Gives back what a deep recursion left of this thread's stack: up to wasm_stack_bytes, which
// would stay with every worker. To be called outside of any guest, after a run that used so much
// fuel. Short runs ask nothing: they are many, and what one has left waits for the next long one.
void release_deep_stack(uint64_t fuel_used);

}  // namespace azr::executor
