// How long a run may take. Fuel decides; this is the net below it, for what fuel does not see.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace azr::executor {

// How often the epoch advances, and so how often a running guest is looked at.
constexpr uint64_t kEpochTickMs = 100;

// Why a run was interrupted before its guest ended.
enum class Interrupt : uint8_t {
  kNone,
  kCpuTime,   // the program had all the CPU time of the net
  kWallTime,  // the machine did not give it that in a time many times as long
  kStop,      // another thread wants the run ended
};

// What a run may take of the machine: CPU time of its thread, so that a machine that is loaded,
// or was stopped for a while, judges no program.
struct SafetyNet {
  uint64_t cpu_ms = 0;
  uint64_t wall_ms = 0;
  const std::atomic<bool>* stop = nullptr;  // set by another thread to end the run
};

// How the net hangs: high enough that on any core that is fit to work, fuel ends a run first.
struct NetHeight {
  uint64_t least_cpu_ms = 30'000;
  uint64_t slowest_fuel_per_ms = 50'000;  // a common core does 3 million
  uint64_t cpu_ms(uint64_t fuel) const {
    return std::max(least_cpu_ms, fuel / slowest_fuel_per_ms);
  }
};

// Looks at one run, at every tick of the epoch. The clocks are read at the first tick only: a run
// that ends before it, as nearly all do, pays nothing.
class Watch {
 public:
  void begin(const SafetyNet& net);
  // At a tick, on the run's thread: whether it may go on.
  bool may_go_on();
  Interrupt interrupt() const { return interrupt_; }

 private:
  Interrupt look();

  SafetyNet net_;
  bool has_ticked_ = false;
  uint64_t cpu_since_ms_ = 0;
  uint64_t wall_since_ms_ = 0;
  Interrupt interrupt_ = Interrupt::kNone;
};

}  // namespace azr::executor
