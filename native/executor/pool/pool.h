// Worker threads between a queue of jobs and a queue of reports.
//
//   submit() -> jobs_ -> worker threads (a slot for each image) -> the job's Reports
//
// No call here needs Python's lock; bind.cc releases it where a call may wait.
#pragma once

#include <pthread.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "executor/engine/engine.h"
#include "executor/job/worker.h"
#include "executor/pool/outcome.h"
#include "executor/pool/reports.h"

namespace azr::executor {

// Module paths name files made by compile_module: trusted. Views are read by the constructor alone.
struct FlavorOptions {
  std::string module_path;  // metered
  std::vector<std::string_view> images;
  std::string_view zip;
};

struct PoolOptions {
  std::string wasmtime_path;
  std::string compile_module_path;  // unmetered
  std::string_view compile_image;
  std::vector<FlavorOptions> flavors;  // the base first
  uint32_t workers = 1;
  uint64_t check_every = 0;  // see Slot
  std::string dirty_pages;   // the way of knowing what was written; empty: the fastest that works
  uint64_t cache_bytes = 0;
  NetHeight net;
};

struct PoolCounters {
  WorkerCounters workers;
  uint64_t queued = 0;
  uint64_t state_bytes = 0;     // of the states of sessions, wherever they are held
  bool isolation_lost = false;  // the pool answers nothing any more
};

// Thread-safe. The process must not fork while a pool exists: its threads would be missing.
class Pool {
 public:
  explicit Pool(PoolOptions options);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Queues a job; its `reports` get exactly one report with its ticket, whatever happens.
  void submit(JobSpec job);
  PoolCounters counters();
  // Ends a job that nobody waits for, whether it waits or runs: its report comes soon, and is a
  // failure. False when the job has its report already, or never was.
  bool cancel(const std::shared_ptr<Reports>& reports, uint64_t ticket);
  // A state that was saved as bytes (session/state_file.h), for a flavor's images.
  std::shared_ptr<State> read_state(std::string_view packed, uint32_t flavor,
                                    std::string_view image_key, uint64_t max_bytes);
  // Of the states of sessions, wherever they are held.
  uint64_t state_bytes() const { return shared_.account->bytes; }
  std::string_view dirty_pages() const { return shared_.way->name; }
  // Fails the jobs that have not started, interrupts those that run, ends the threads, and gives
  // their memory back.
  void close();

 private:
  // A worker thread as others see it.
  struct Desk {
    WorkerCounters counters;
    const Reports* reports = nullptr;  // of the job that runs; null while none does
    uint64_t ticket = 0;
    std::atomic<bool> stop = false;  // whether that job is to end; read without the lock
    Watch watch;                     // locks itself
  };

  void load(const PoolOptions& options);
  void unload();
  bool look_at_runs();
  static void* run_thread(void* self);
  void work(size_t index);
  bool take_job(size_t index, JobSpec& job);
  std::deque<JobSpec>::iterator job_for(size_t index);
  void finish(size_t index, const Worker* worker, JobSpec job, std::optional<JobReport> report);
  void tick();

  Shared shared_;

  std::mutex mutex_;  // guards everything below
  std::condition_variable job_ready_;
  std::deque<JobSpec> jobs_;
  std::deque<Desk> desks_;  // one a worker
  bool closing_ = false;
  size_t next_index_ = 0;

  std::vector<pthread_t> threads_;
  std::atomic<size_t> working_ = 0;  // threads whose work() has not returned
  std::condition_variable tick_stop_;
  std::thread ticker_;
};

}  // namespace azr::executor
