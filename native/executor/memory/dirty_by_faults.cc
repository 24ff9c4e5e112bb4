// The way "faults": a write to a cold page is a page fault, so a run without one wrote hot pages
// only, and a run that wrote n cold pages has faulted n times. After a run with faults the kernel
// is asked for private pages until that many are found. Faults of other memory (the host's) only
// make the search longer.
//
// Two things could make that false later on. Memory may be copied ahead of any write: mlockall()
// does it to all writable private mappings. And a kernel may stop counting. A page of our own below
// the slot, the sentinel, shows both: nobody writes it, and mlockall() comes to it before the slot.
#include <sys/mman.h>
#include <sys/resource.h>

#include <cerrno>
#include <optional>
#include <system_error>

#include "executor/memory/dirty_pages.h"
#include "executor/memory/pagemap.h"

namespace azr::executor {
namespace {

std::optional<uint64_t> thread_faults() {
  rusage usage{};
  if (getrusage(RUSAGE_THREAD, &usage) != 0) return std::nullopt;
  return static_cast<uint64_t>(usage.ru_minflt) + static_cast<uint64_t>(usage.ru_majflt);
}

class DirtyByFaults final : public DirtyPages {
 public:
  explicit DirtyByFaults(const WatchedMemory& memory)
      : memory_(memory), sentinel_(memory.base - kPageBytes) {
    // A private mapping of the image's file, as the slot's own memory is.
    if (mmap(sentinel_, kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED,
             memory.image.fd(), 0) == MAP_FAILED) {
      throw std::system_error(errno, std::generic_category(), "cannot map a slot's sentinel page");
    }
  }

  // A page that stays private is written without a fault: where the kernel does not drop them all,
  // faults say nothing.
  void watch_all() override {
    drop_private_pages(sentinel_, kPageBytes);
    is_blind_ = !drop_private_pages(memory_.base, memory_.image.size());
  }

  void begin() override { before_ = thread_faults(); }

  Knowledge find(const HotPages& hot, std::vector<PageRange>& written) override {
    const std::optional<uint64_t> after = thread_faults();
    if (is_blind_ || !before_ || !after) return Knowledge::kNothing;
    if (*after < *before_) return Knowledge::kBroken;
    // Copied ahead of any write, or unknown: a write need not have faulted.
    if (is_private_page(sentinel_).value_or(true)) return Knowledge::kNothing;
    const bool is_known = find_private_pages(memory_.base, hot, *after - *before_, written);
    return is_known ? Knowledge::kAll : Knowledge::kNothing;
  }

  bool cool(const PageRange& pages) override {
    return drop_private_pages(memory_.base + pages.first * kPageBytes, pages.count * kPageBytes);
  }

  bool still_notices() override {
    if (is_private_page(sentinel_).value_or(true)) return true;  // find() will say so
    const std::optional<uint64_t> before = thread_faults();
    *static_cast<volatile uint8_t*>(sentinel_) = 1;
    const std::optional<uint64_t> after = thread_faults();
    const bool is_seen = is_private_page(sentinel_).value_or(true);
    // Not dropped: it has been locked meanwhile, which find() will see.
    if (!drop_private_pages(sentinel_, kPageBytes) || !before || !after) return true;
    return *after > *before && is_seen;
  }

 private:
  WatchedMemory memory_;
  uint8_t* sentinel_;
  std::optional<uint64_t> before_;
  bool is_blind_ = false;
};

}  // namespace

std::unique_ptr<DirtyPages> watch_by_faults(const WatchedMemory& memory) {
  return std::make_unique<DirtyByFaults>(memory);
}

}  // namespace azr::executor
