#include "executor/pool/reports.h"

#include <chrono>
#include <iterator>
#include <utility>

namespace azr::executor {

void Reports::put(JobReport report) {
  bool is_enough = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ready_.push_back(std::move(report));
    is_enough = wanted_ > 0 && ready_.size() >= wanted_;
  }
  if (is_enough) enough_.notify_one();
}

std::vector<JobReport> Reports::take(size_t at_least, size_t limit, uint64_t timeout_ms) {
  std::unique_lock<std::mutex> lock(mutex_);
  wanted_ = at_least;
  enough_.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                   [this, at_least] { return ready_.size() >= at_least; });
  wanted_ = 0;
  std::vector<JobReport> taken;
  if (ready_.size() <= limit) {
    taken.swap(ready_);
    return taken;
  }
  const auto end = ready_.begin() + static_cast<std::ptrdiff_t>(limit);
  taken.assign(std::make_move_iterator(ready_.begin()), std::make_move_iterator(end));
  ready_.erase(ready_.begin(), end);
  return taken;
}

}  // namespace azr::executor
