// For any CPU: vectors of four floats, which every 64-bit machine has.
#include "loss/kernels/prelude.h"

namespace azr::loss {
namespace {

#include "loss/kernels/kernels_impl.h"

struct Portable {
  static constexpr int kLanes = 4;
  static constexpr int kTileRows = 4;
  static constexpr int kTilePitch = 4;
  static constexpr bool kPairs = false;
  static constexpr bool kTransposes = false;

  AZR_INLINE static Vec<Portable> Accumulate(Vec<Portable> sum, Word a, Vec<Portable> b) {
    return sum + AsFloat(a) * b;
  }
};

constexpr Kernels kTable = TableOf<Portable>("portable");

}  // namespace

constinit const Kernels* const kPortableKernels = &kTable;

}  // namespace azr::loss
