// The way "compare": the whole memory is compared with the image after every run. It asks nothing
// of the machine, so it is right under anything; it costs a few milliseconds a run.
#include <algorithm>

#include "executor/memory/dirty/dirty_pages.h"

namespace azr::executor {
namespace {

class DirtyByComparing final : public DirtyPages {
 public:
  explicit DirtyByComparing(const WatchedMemory& memory) : memory_(memory) {}

  void watch_all() override {}
  void begin() override {}

  Knowledge find(const HotPages& hot, std::vector<PageRange>& written) override {
    for (size_t first = 0; first < hot.pages(); first += kPagesAtOnce) {
      const size_t count = std::min(kPagesAtOnce, hot.pages() - first);
      if (!memory_.differs({first, count})) continue;
      for (size_t page = first; page < first + count; ++page) {
        if (!hot.contains(page) && memory_.differs({page, 1})) append_page(written, page);
      }
    }
    return Knowledge::kAll;
  }

  bool cool(const PageRange& pages) override {
    memory_.copy_back(pages);
    return true;
  }

 private:
  static constexpr size_t kPagesAtOnce = 16;

  WatchedMemory memory_;
};

}  // namespace

std::unique_ptr<DirtyPages> watch_by_comparing(const WatchedMemory& memory) {
  return std::make_unique<DirtyByComparing>(memory);
}

}  // namespace azr::executor
