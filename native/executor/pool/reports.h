// Where one caller's finished jobs wait for it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "executor/pool/outcome.h"

namespace azr::executor {

// Thread-safe: workers put, one caller takes.
class Reports {
 public:
  void put(JobReport report);
  // Waits until `at_least` reports are there, at most `timeout_ms`, and moves up to `limit` out.
  // The caller is woken once, not once a report.
  std::vector<JobReport> take(size_t at_least, size_t limit, uint64_t timeout_ms);

 private:
  std::mutex mutex_;  // guards everything below
  std::condition_variable enough_;
  std::vector<JobReport> ready_;
  size_t wanted_ = 0;  // by the caller that waits; 0: nobody does
};

}  // namespace azr::executor
