// Worker threads between a queue of jobs and a queue of reports.
//
//   submit() -> jobs_ -> worker threads (one slot per image each) -> reports_ -> take()
//
// No call here needs Python's lock; bind.cc releases it around take() and close().
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "executor/engine.h"
#include "executor/outcome.h"
#include "executor/worker.h"

namespace azr::executor {

struct PoolOptions {
  std::string wasmtime_path;
  std::string module_path;  // made by compile_module, trusted
  std::string compile_image;
  std::vector<std::string> run_images;
  std::string zip;
  uint32_t workers = 1;
  uint64_t check_every = 0;  // see Slot
  uint64_t cache_bytes = 0;
};

struct PoolCounters {
  WorkerCounters workers;
  uint64_t queued = 0;
};

// Thread-safe. The process must not fork while a pool exists: its threads would be missing.
class Pool {
 public:
  explicit Pool(PoolOptions options);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Queues a job; its report comes out of take() with the same ticket.
  void submit(JobSpec job);
  // Waits until at least one report is ready, at most `timeout_ms`, and moves up to `limit` out.
  std::vector<JobReport> take(size_t limit, uint64_t timeout_ms);
  PoolCounters counters();
  // Drops jobs that have not started, waits for those that have, and ends the threads.
  void close();

 private:
  static void* run_thread(void* self);
  void work(size_t index);
  void tick();

  Engine engine_;
  Shared shared_;

  std::mutex mutex_;  // guards everything below
  std::condition_variable job_ready_;
  std::condition_variable report_ready_;
  std::deque<JobSpec> jobs_;
  std::vector<JobReport> reports_;
  std::vector<WorkerCounters> counters_;
  bool closing_ = false;
  size_t next_index_ = 0;

  std::vector<pthread_t> threads_;
  std::condition_variable tick_stop_;
  std::thread ticker_;
};

}  // namespace azr::executor
