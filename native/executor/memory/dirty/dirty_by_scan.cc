// The way "scan": the kernel is asked after every run which pages are private copies.
#include <cstdint>

#include "executor/memory/dirty/dirty_pages.h"
#include "executor/memory/dirty/pagemap.h"

namespace azr::executor {
namespace {

class DirtyByScan final : public DirtyPages {
 public:
  explicit DirtyByScan(const WatchedMemory& memory) : memory_(memory) {}

  void watch_all() override {}
  void begin() override {}
  Knowledge find(const HotPages& hot, std::vector<PageRange>& written) override {
    const bool is_known = find_private_pages(memory_.base, hot, UINT64_MAX, written);
    return is_known ? Knowledge::kAll : Knowledge::kNothing;
  }
  bool cool(const PageRange& pages) override {
    return drop_private_pages(memory_.base + pages.first * kPageBytes, pages.count * kPageBytes);
  }

 private:
  WatchedMemory memory_;
};

}  // namespace

std::unique_ptr<DirtyPages> watch_by_scan(const WatchedMemory& memory) {
  return std::make_unique<DirtyByScan>(memory);
}

}  // namespace azr::executor
