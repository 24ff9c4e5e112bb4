// What the host's work costs in fuel, so that fuel bounds a run's time whatever the run does.
//
// The guest's own code burns 3 to 12 fuel a nanosecond on a common core (a copy in the guest: one
// fuel a byte). A price is what the work takes in nanoseconds, times kFuelPerNs, rounded up.
// bench/bench_host_calls.py measures what each call costs and what its fuel lasts. Prices are the
// same on every machine: they are part of what a program's fuel is.
#pragma once

#include <cstdint>

namespace azr::executor::wasi {

constexpr uint64_t kFuelPerNs = 7;

struct Price {
  uint64_t call = 0;      // whatever comes of it: going out of the guest and back
  uint64_t per_item = 0;  // of a vector of buffers, texts or subscriptions
  uint64_t per_byte = 0;  // copied or made
};

constexpr Price kCall{80 * kFuelPerNs};
constexpr Price kCopying{80 * kFuelPerNs, 3 * kFuelPerNs, 1};
// Finding a name among /tmp's.
constexpr Price kNaming{500 * kFuelPerNs, 0, 1};
// Looking at one name of them all.
constexpr uint64_t kFuelPerName = 100 * kFuelPerNs;
constexpr Price kDrawing{80 * kFuelPerNs, 0, 4 * kFuelPerNs};
constexpr Price kPolling{80 * kFuelPerNs, 10 * kFuelPerNs};

// Memory that the guest adds: the kernel finds, clears and takes back its pages. The guest itself
// pays for what it writes there, so this is the lesser part, and paid once in a run.
constexpr uint64_t kGrownBytesPerFuel = 4;

// What a session keeps is put into a slot before a turn, and found there after it. A page is
// faulted in, compared and copied, and taken back; a page that the guest added is looked at.
constexpr uint64_t kFuelPerKeptPage = 1'600 * kFuelPerNs;
constexpr uint64_t kFuelPerGrownPage = 1'000 * kFuelPerNs;
constexpr uint64_t kFuelPerKeptFileByte = 3;

// The value in a reply is read, and written as a literal, after the run.
constexpr uint64_t kFuelPerReplyByte = 32;
constexpr uint64_t kFuelPerLiteralByte = 32;

}  // namespace azr::executor::wasi
