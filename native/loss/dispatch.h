// Which of the kernels this machine can run.
#ifndef AZR_NATIVE_LOSS_DISPATCH_H_
#define AZR_NATIVE_LOSS_DISPATCH_H_

#include <string>
#include <string_view>
#include <vector>

#include "loss/kernels/kernels.h"

namespace azr::loss {

// Names that KernelsFor accepts here, fastest first: a subset of avx512bf16, avx512, avx2,
// portable.
[[nodiscard]] std::vector<std::string> AvailableIsas();

// The fastest table for operands of the given storage, not above `isa` ("" for the best here).
// bfloat16 products are only made of bfloat16 operands; everything else is widened to float.
// Throws std::invalid_argument if this machine lacks `isa`.
[[nodiscard]] const Kernels& KernelsFor(std::string_view isa, Storage hidden, Storage weight);

}  // namespace azr::loss

#endif  // AZR_NATIVE_LOSS_DISPATCH_H_
