// For x86-64 with AVX2 and FMA.
#include "loss/kernels/prelude.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC target("avx2,fma")

namespace azr::loss {
namespace {

#include "loss/kernels/kernels_impl.h"

struct Avx2 {
  static constexpr int kLanes = 8;
  static constexpr int kTileRows = 6;
  static constexpr int kTilePitch = 8;
  static constexpr bool kPairs = false;
  static constexpr bool kTransposes = false;

  AZR_INLINE static Vec<Avx2> Accumulate(Vec<Avx2> sum, Word a, Vec<Avx2> b) {
    return sum + AsFloat(a) * b;
  }
};

constexpr Kernels kTable = TableOf<Avx2>("avx2");

}  // namespace

constinit const Kernels* const kAvx2Kernels = &kTable;

}  // namespace azr::loss

#else

namespace azr::loss {
constinit const Kernels* const kAvx2Kernels = nullptr;
}  // namespace azr::loss

#endif
