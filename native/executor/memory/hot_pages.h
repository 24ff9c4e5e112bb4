// Three temperatures. A hot page has been written lately: it is copied back after every run,
// whether written or not. A warm page was hot once: it is where to look first. Others are cold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace azr::executor {

struct PageRange {  // [first, first + count)
  size_t first;
  size_t count;
};

// Appends a page behind all of `ranges`, to the last one where it adjoins.
inline void append_page(std::vector<PageRange>& ranges, size_t page) {
  if (!ranges.empty() && ranges.back().first + ranges.back().count == page) {
    ++ranges.back().count;
  } else {
    ranges.push_back({page, 1});
  }
}

class HotPages {
 public:
  // A hot page that no sample of so many in a row found dirty becomes warm. Copying it costs 140 ns
  // a run; to find it written again costs a fault and a comparison of the warm pages, about 20 us.
  static constexpr uint8_t kCleanSamplesToRelease = 4;

  explicit HotPages(size_t pages)
      : clean_samples_(pages, kCold), patience_(pages, kCleanSamplesToRelease) {}

  size_t pages() const { return clean_samples_.size(); }
  size_t size() const { return hot_.size(); }
  bool contains(size_t page) const { return clean_samples_[page] != kCold; }
  // Those that were hot once and are no more, the last one to be released first; not all of them
  // when they are many.
  const std::vector<size_t>& warm() const { return warm_; }

  // False, and nothing is added, when they are too many to be worth keeping resident.
  bool add(const PageRange& pages);
  void remove(size_t page);
  // A page that was written but holds what it held (a reference was taken and given back) looks
  // clean in samples, and no comparison finds it: it stays hot twice as long as the last time.
  void keep_longer(size_t page);
  void clear();

  // Notes what a sample saw; true when the page has been clean for so long that it is not hot.
  bool note_sample(size_t page, bool is_clean);

  // The hot pages in ascending order. Valid until the set changes.
  const std::vector<PageRange>& ranges();

 private:
  static constexpr uint8_t kCold = 255;

  std::vector<uint8_t> clean_samples_;  // per page: kCold, or how many samples found it clean
  std::vector<uint8_t> patience_;       // per page: how many of them release it
  std::vector<PageRange> ranges_;
  std::vector<size_t> hot_;  // ascending
  std::vector<size_t> warm_;
  bool is_stale_ = false;
};

}  // namespace azr::executor
