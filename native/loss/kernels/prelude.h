// What kernels_impl.h needs, included before a target pragma: the standard library's inline
// functions must not be compiled for a newer CPU than the rest of the program.
#ifndef AZR_NATIVE_LOSS_KERNELS_PRELUDE_H_
#define AZR_NATIVE_LOSS_KERNELS_PRELUDE_H_

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "loss/kernels/kernels.h"

#define AZR_INLINE [[gnu::always_inline]] inline
#define AZR_NOINLINE [[gnu::noinline]]

// Arguments of vector type never cross a function border here: everything is inlined.
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"
// GCC 12 says so of its own intrinsics, whose undefined merge operand is undefined on purpose.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#endif  // AZR_NATIVE_LOSS_KERNELS_PRELUDE_H_
