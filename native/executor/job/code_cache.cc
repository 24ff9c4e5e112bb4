#include "executor/job/code_cache.h"

namespace azr::executor {

std::shared_ptr<const CompiledCode> CodeCache::find(std::string_view key) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = index_.find(key);
  if (found == index_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->code;
}

void CodeCache::put(std::string key, std::shared_ptr<const CompiledCode> code) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (index_.contains(key)) return;  // another worker was faster; both answers are the same
  entries_.push_front({std::move(key), std::move(code)});
  index_.emplace(entries_.front().key, entries_.begin());
  bytes_ += entries_.front().bytes();
  while (bytes_ > max_bytes_ && entries_.size() > 1) {
    bytes_ -= entries_.back().bytes();
    index_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

}  // namespace azr::executor
