// How long a run may take. Fuel decides; this is the net below it, for what fuel does not see.
//
// A guest's code asks nobody whether it may go on: such questions, wasmtime's epochs, took 7 % of
// its time. Another thread takes its memory away (Slot::close), and its next access is a trap.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "executor/memory/slot.h"

namespace azr::executor {

// How often a running guest is looked at; and how often once it is being stopped, because the host
// took its memory back for a moment.
constexpr uint64_t kTickMs = 100;
constexpr uint64_t kStoppingTickMs = 2;

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

// Looks at the runs of one thread from another. The clocks are read at a run's first tick: a run
// that ends before it, as nearly all do, pays for a lock.
class Watch {
 public:
  // On the run's thread.
  void begin(const SafetyNet& net, Slot& slot);
  void end();
  // Why the last run was to be stopped.
  Interrupt interrupt() const { return interrupt_; }

  // From any thread, at every tick. Returns whether a run is being stopped.
  bool tick();

 private:
  Interrupt look();

  std::mutex mutex_;      // guards everything below, but for the run's own reading of interrupt_
  Slot* slot_ = nullptr;  // where a guest runs now
  SafetyNet net_;
  clockid_t cpu_clock_ = 0;
  bool has_ticked_ = false;
  uint64_t cpu_since_ms_ = 0;
  uint64_t wall_since_ms_ = 0;
  Interrupt interrupt_ = Interrupt::kNone;
};

// A run, for as long as it lives.
class Watched {
 public:
  Watched(Watch& watch, const SafetyNet& net, Slot& slot) : watch_(watch) {
    watch_.begin(net, slot);
  }
  ~Watched() { watch_.end(); }
  Watched(const Watched&) = delete;
  Watched& operator=(const Watched&) = delete;

 private:
  Watch& watch_;
};

}  // namespace azr::executor
