#include "executor/memory/hot_pages.h"

#include <algorithm>

namespace azr::executor {
namespace {

// Longer dirty stretches come from programs that use much memory: not worth keeping resident.
constexpr size_t kMaxRange = 32;
constexpr size_t kMaxPages = 1536;
// Comparing more would take longer than asking the kernel.
constexpr size_t kMaxWarm = 512;
constexpr uint8_t kMaxPatience = 128;

}  // namespace

bool HotPages::add(const PageRange& pages) {
  if (pages.count > kMaxRange || hot_.size() + pages.count > kMaxPages) return false;
  for (size_t page = pages.first; page < pages.first + pages.count; ++page) {
    clean_samples_[page] = 0;
    hot_.insert(std::ranges::lower_bound(hot_, page), page);
    std::erase(warm_, page);
  }
  is_stale_ = true;
  return true;
}

void HotPages::remove(size_t page) {
  clean_samples_[page] = kCold;
  warm_.insert(warm_.begin(), page);
  if (warm_.size() > kMaxWarm) warm_.pop_back();
  std::erase(hot_, page);
  is_stale_ = true;
}

void HotPages::keep_longer(size_t page) {
  patience_[page] = static_cast<uint8_t>(std::min<int>(2 * patience_[page], kMaxPatience));
}

void HotPages::clear() {
  clean_samples_.assign(clean_samples_.size(), kCold);
  hot_.clear();
  ranges_.clear();
  warm_.clear();
  is_stale_ = false;
}

bool HotPages::note_sample(size_t page, bool is_clean) {
  uint8_t& samples = clean_samples_[page];
  samples = is_clean ? static_cast<uint8_t>(samples + 1) : uint8_t{0};
  if (samples < patience_[page]) return false;
  samples = 0;  // ask again later where it cannot be released
  return true;
}

const std::vector<PageRange>& HotPages::ranges() {
  if (!is_stale_) return ranges_;
  ranges_.clear();
  for (const size_t page : hot_) append_page(ranges_, page);
  is_stale_ = false;
  return ranges_;
}

}  // namespace azr::executor
