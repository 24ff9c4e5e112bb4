// Runs jobs on one thread: compile once, then every call in a fresh instance of every image.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "executor/code_cache.h"
#include "executor/engine.h"
#include "executor/outcome.h"

namespace azr::executor {

// What all workers of a pool share; immutable but for the cache, which locks itself.
struct Shared {
  const Engine* engine = nullptr;
  std::shared_ptr<const Image> compile_image;
  std::vector<std::shared_ptr<const Image>> run_images;
  std::string zip;
  uint64_t check_every = 0;
  std::unique_ptr<CodeCache> cache;
  std::atomic<bool> closing = false;  // the pool is ending: stop between two calls
};

// How often the epoch advances, and the deadline's floor: see Worker::deadline_ticks.
constexpr uint64_t kEpochTickMs = 100;

struct WorkerCounters {
  uint64_t jobs = 0;
  uint64_t calls = 0;
  uint64_t compiled = 0;
  uint64_t cache_hits = 0;
  uint64_t out_of_fuel = 0;
  uint64_t failures = 0;
  uint64_t hot_pages = 0;
  SlotCounters slots;
};

// Not thread-safe: owned by one thread, which must have kHostStackBytes beside the guest's stack.
class Worker {
 public:
  explicit Worker(const Shared& shared);

  // Never throws: a failure of the machinery is in JobReport::failure.
  JobReport process(const JobSpec& job);
  WorkerCounters counters() const;

 private:
  struct Task;

  void process_calls(const JobSpec& job, JobReport& report);
  CallReport run_in_images(const JobSpec& job, const Task& task);
  CallReport run_once(const JobSpec& job, const Task& task, size_t image);
  std::shared_ptr<const CompiledCode> compile(const JobSpec& job, std::string_view source,
                                              char kind);
  CompiledCode compile_now(const JobSpec& job, std::string_view source, char kind);
  Run run_guest(Slot& slot, GuestIo& io, std::string_view request, uint64_t fuel,
                uint64_t memory_bytes);
  void read_reply(const JobSpec& job, const GuestIo& io, CallReport& report) const;

  const Shared& shared_;
  Slot compile_slot_;
  std::vector<std::unique_ptr<Slot>> run_slots_;
  GuestIo io_;
  std::string request_;
  WorkerCounters counters_;
  // The reply behind the last report, kept to compare images whose texts differ.
  std::string last_reply_;
};

}  // namespace azr::executor
