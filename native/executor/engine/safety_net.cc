#include "executor/engine/safety_net.h"

#include <pthread.h>

#include <ctime>

#include "executor/engine/trap_signals.h"

namespace azr::executor {
namespace {

uint64_t read_ms(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

}  // namespace

void Watch::begin(const SafetyNet& net, Slot& slot) {
  const std::lock_guard<std::mutex> lock(mutex_);
  net_ = net;
  has_ticked_ = false;
  interrupt_ = Interrupt::kNone;
  pthread_getcpuclockid(pthread_self(), &cpu_clock_);
  slot_ = &slot;
  retry_faults_of(&slot);
}

void Watch::end() {
  const std::lock_guard<std::mutex> lock(mutex_);
  slot_ = nullptr;
  retry_faults_of(nullptr);
}

bool Watch::tick() {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (slot_ == nullptr) return false;
  if (interrupt_ == Interrupt::kNone) interrupt_ = look();
  if (interrupt_ == Interrupt::kNone) return false;
  keep_trap_handlers();  // another library may have taken the fault's signal since the run began
  slot_->close();
  return true;
}

Interrupt Watch::look() {
  if (net_.stop != nullptr && *net_.stop) return Interrupt::kStop;
  const uint64_t cpu_ms = read_ms(cpu_clock_);
  const uint64_t wall_ms = read_ms(CLOCK_MONOTONIC);
  if (!has_ticked_) {
    has_ticked_ = true;
    cpu_since_ms_ = cpu_ms;
    wall_since_ms_ = wall_ms;
  }
  if (cpu_ms - cpu_since_ms_ >= net_.cpu_ms) return Interrupt::kCpuTime;
  if (wall_ms - wall_since_ms_ >= net_.wall_ms) return Interrupt::kWallTime;
  return Interrupt::kNone;
}

}  // namespace azr::executor
