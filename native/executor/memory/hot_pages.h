// The pages that programs usually write: copied back after every run, whether written or not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace azr::executor {

struct PageRange {  // [first, first + count)
  size_t first;
  size_t count;
};

class HotPages {
 public:
  explicit HotPages(size_t pages) : clean_samples_(pages, kCold) {}

  size_t pages() const { return clean_samples_.size(); }
  size_t size() const { return size_; }
  bool contains(size_t page) const { return clean_samples_[page] != kCold; }

  // False, and nothing is added, when they are too many to be worth keeping resident.
  bool add(const PageRange& pages);
  void remove(size_t page);
  void clear();

  // Notes what a sample saw; true when the page has been clean for so long that it is not hot.
  bool note_sample(size_t page, bool is_clean);

  // The hot pages in ascending order. Valid until the set changes.
  const std::vector<PageRange>& ranges();

 private:
  static constexpr uint8_t kCold = 255;

  std::vector<uint8_t> clean_samples_;  // per page: kCold, or how many samples found it clean
  std::vector<PageRange> ranges_;
  size_t size_ = 0;
  bool is_stale_ = false;
};

}  // namespace azr::executor
