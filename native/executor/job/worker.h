// Runs jobs on one thread: compile once, then every call in a fresh state of every image.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "executor/engine/engine.h"
#include "executor/job/code_cache.h"
#include "executor/pool/outcome.h"
#include "executor/session/state.h"

namespace azr::executor {

// A guest with a set of packages: the base one, or one with NumPy.
struct Flavor {
  std::shared_ptr<const Engine> engine;              // metered
  std::vector<std::shared_ptr<const Image>> images;  // one for each way to seed an interpreter
  std::shared_ptr<const std::string> zip;            // its library
};

// What all workers of a pool share; immutable but for the cache, which locks itself.
struct Shared {
  std::shared_ptr<const Engine> compile_engine;  // unmetered
  std::shared_ptr<const Image> compile_image;
  std::vector<Flavor> flavors;  // the first is the base; it compiles metered where it must
  uint64_t check_every = 0;
  NetHeight net;
  const Way* way = &kCompareWay;  // of knowing what a program wrote
  std::unique_ptr<CodeCache> cache;
  std::shared_ptr<Account> account = std::make_shared<Account>();  // of the states of sessions
  // A slot was not as its image after a restore. Set by any worker, for good: no result counts.
  mutable std::atomic<bool> isolation_lost = false;
};

struct WorkerCounters {
  uint64_t jobs = 0;
  uint64_t calls = 0;
  uint64_t compiled = 0;
  uint64_t compiled_metered = 0;
  uint64_t cache_hits = 0;
  uint64_t out_of_fuel = 0;
  uint64_t failures = 0;
  uint64_t net_hits = 0;   // jobs sent to another worker, because a run hit the safety net
  uint64_t timed_out = 0;  // jobs that hit it there, too
  uint64_t instances = 0;
  uint64_t hot_pages = 0;
  SlotCounters slots;
};

// Not thread-safe: owned by one thread, which must have kHostStackBytes beside the guest's stack.
class Worker {
 public:
  // `stop` may be set by another thread at any time: the job that runs then ends soon, where that
  // thread or another ticks `watch`.
  Worker(const Shared& shared, const std::atomic<bool>& stop, Watch& watch);

  // Never throws: a failure of the machinery is in JobReport::failure. No report: the job has hit
  // the safety net for the first time, and another worker, or new instances, must try it.
  std::optional<JobReport> process(const JobSpec& job);
  WorkerCounters counters() const;

 private:
  enum class Mode : uint8_t;
  struct Task;
  // A slot and the instance that lives in it for as long as a restore makes it new.
  struct Seat {
    Seat(const std::shared_ptr<const Image>& image, const Shared& shared);
    Slot slot;
    std::unique_ptr<Instance> instance;
  };
  struct Bounds {
    uint64_t fuel;
    uint64_t memory_bytes;
    uint64_t cpu_ms;  // see SafetyNet
  };
  struct Turn;  // session/turn.h

  void process_calls(const JobSpec& job, JobReport& report);
  void call_entry(const JobSpec& job, Task& task, JobReport& report);
  void evaluate_expressions(const JobSpec& job, Task& task, JobReport& report);
  void run_program(const JobSpec& job, Task& task, JobReport& report);
  bool add_code(const JobSpec& job, std::string_view source, char kind, Task& task,
                JobReport& report);
  CallReport run_in_images(const JobSpec& job, const Task& task);
  CallReport run_once(const JobSpec& job, const Task& task, size_t image);
  CallReport run_turn(const JobSpec& job);
  static std::string name_of(const JobSpec& job, char kind);
  static std::string turn_name(const JobSpec& job);
  void write_turn(const JobSpec& job, const CompiledCode& code);
  CallReport run_request(const JobSpec& job, size_t image, Turn* turn = nullptr);
  void write_request(const JobSpec& job, const Task& task, uint64_t entropy);
  void pay_for_literal(const JobSpec& job, CallReport& report);
  void take_files(const JobSpec& job, CallReport& report);
  bool pay(const JobSpec& job, uint64_t price, CallReport& report);
  CallReport report_of(const JobSpec& job, const Run& run, bool memory_full);
  std::shared_ptr<const CompiledCode> compile(const JobSpec& job, std::string_view source,
                                              char kind);
  CompiledCode compile_now(const JobSpec& job, std::string_view source, char kind);
  Run compile_guest();
  Seat& seat_of(const JobSpec& job, size_t image);
  Run run_guest(const Engine& engine, Seat& seat, std::string_view zip, const Bounds& bounds,
                Turn* turn = nullptr);
  void sit(const Engine& engine, Seat& seat);
  void check_isolation() const;
  void lose_isolation() const;
  void restore(Seat& seat);
  void clear_outputs();
  void expect_net_hit(const JobSpec& job, Interrupt why);

  const Shared& shared_;
  const std::atomic<bool>& stop_;
  Watch& watch_;
  GuestIo io_;  // before the instances, which hold its address
  Seat compile_seat_;
  std::vector<std::vector<std::unique_ptr<Seat>>> run_seats_;  // of a flavor, of an image
  std::string request_;
  WorkerCounters counters_;
  // The reply behind the last report, kept to compare images whose texts differ.
  std::string last_reply_;
  bool timed_out_ = false;  // a run of this job: no other is begun
};

}  // namespace azr::executor
