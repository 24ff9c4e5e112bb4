// Clocks and entropy of a run: functions of the image and of what is run, the same everywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "executor/engine/guest_io.h"

namespace azr::executor {

constexpr uint64_t kNewYear2026Ns = 1'767'225'600'000'000'000;

uint64_t mix(uint64_t x);                                  // splitmix64
uint64_t hash_text(std::string_view text, uint64_t seed);  // FNV-1a

// The first image starts at New Year; the others at any time of the next years, so that no unit
// of time (year, weekday, second, microsecond) has the same parity in all.
void set_clocks(size_t image, GuestIo& io);

}  // namespace azr::executor
