#include "executor/memory/dirty/dirty_pages.h"

#include <array>

namespace azr::executor {

std::span<const Way> all_ways() {
  static constexpr std::array kWays{
      Way{"faults", watch_by_faults},
      Way{"traps", watch_by_traps},
      Way{"scan", watch_by_scan},
      kCompareWay,
  };
  return kWays;
}

}  // namespace azr::executor
