// How fast the matrix products could be if they had nothing to wait for.
#ifndef AZR_NATIVE_LOSS_RATE_H_
#define AZR_NATIVE_LOSS_RATE_H_

#include <string_view>

#include "loss/kernels/kernels.h"

namespace azr::loss {

// Floating-point operations per second of the register tile on operands that are in cache, by
// `num_threads` threads, the best of `rounds` tries of some milliseconds each: what a benchmark
// divides by. `isa` as in KernelsFor, for both operands of `storage`. Throws std::invalid_argument.
[[nodiscard]] double ProductRate(std::string_view isa, Storage storage, int num_threads,
                                 int rounds);

}  // namespace azr::loss

#endif  // AZR_NATIVE_LOSS_RATE_H_
