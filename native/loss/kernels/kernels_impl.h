// The inner loops once, as templates over an Arch. Included by one .cc per instruction set, after
// its target pragma and inside an anonymous namespace of its own, so that code for a newer CPU can
// never be the copy the linker keeps for an older one. Hence no include guard and no includes here.
//
// An Arch has: kLanes, kTileRows, kTilePitch, kPairs, Accumulate(), RoundPairs() if kPairs, and
// kTransposes with Transpose16().

// clang-format off: the first is what the others are made of.
#include "loss/kernels/vector_impl.h"
#include "loss/kernels/product_impl.h"
#include "loss/kernels/vocabulary_impl.h"
// clang-format on

template <class Arch>
constexpr Kernels TableOf(const char* name) {
  return {
      .name = name,
      .pairs = Arch::kPairs,
      .tile_rows = Arch::kTileRows,
      .tile_pitch = Arch::kTilePitch,
      .strip = 2 * Arch::kLanes,
      .multiply = &Multiply<Arch>,
      .pack_rows = &PackRows<Arch>,
      .pack_columns = &PackColumns<Arch>,
      .pack_panel_rows = &PackPanelRows<Arch>,
      .pack_picked_rows = &PackPickedRows<Arch>,
      .sum_panel = &SumPanel<Arch>,
      .round = &Round<Arch>,
      .merge = &Merge<Arch>,
      .differentiate = &Differentiate<Arch>,
  };
}
