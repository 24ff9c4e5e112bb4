#include "executor/memory/hot_pages.h"

namespace azr::executor {
namespace {

// A hot page that no sample of this many in a row found dirty is released: copying it costs
// about 50 ns a run, a wrong release one page fault and one slow restore (tens of us).
constexpr uint8_t kCleanSamplesToRelease = 24;
// Longer dirty stretches come from programs that use much memory: not worth keeping resident.
constexpr size_t kMaxRange = 32;
constexpr size_t kMaxPages = 1536;

}  // namespace

bool HotPages::add(const PageRange& pages) {
  if (pages.count > kMaxRange || size_ + pages.count > kMaxPages) return false;
  for (size_t page = pages.first; page < pages.first + pages.count; ++page) {
    clean_samples_[page] = 0;
  }
  size_ += pages.count;
  is_stale_ = true;
  return true;
}

void HotPages::remove(size_t page) {
  clean_samples_[page] = kCold;
  --size_;
  is_stale_ = true;
}

void HotPages::clear() {
  clean_samples_.assign(clean_samples_.size(), kCold);
  ranges_.clear();
  size_ = 0;
  is_stale_ = false;
}

bool HotPages::note_sample(size_t page, bool is_clean) {
  uint8_t& samples = clean_samples_[page];
  samples = is_clean ? static_cast<uint8_t>(samples + 1) : uint8_t{0};
  if (samples < kCleanSamplesToRelease) return false;
  samples = 0;  // ask again later where it cannot be released
  return true;
}

const std::vector<PageRange>& HotPages::ranges() {
  if (!is_stale_) return ranges_;
  ranges_.clear();
  for (size_t page = 0; page < clean_samples_.size(); ++page) {
    if (clean_samples_[page] == kCold) continue;
    if (!ranges_.empty() && ranges_.back().first + ranges_.back().count == page) {
      ++ranges_.back().count;
    } else {
      ranges_.push_back({page, 1});
    }
  }
  is_stale_ = false;
  return ranges_;
}

}  // namespace azr::executor
