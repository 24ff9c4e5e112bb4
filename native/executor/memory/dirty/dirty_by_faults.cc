// The way "faults": a write to a cold page is a page fault, so a run without one wrote hot pages
// only, and a run that wrote n cold pages has faulted n times. After a run with faults the warm
// pages are compared with the image; unless n of them differ, the kernel is asked for private pages
// until n are found. Faults of other memory (the host's) only make the search longer.
//
// Two things could make that false later on. Memory may be copied ahead of any write: mlockall()
// does it to all writable private mappings. And a kernel may stop counting. A page of our own below
// the slot, the sentinel, shows both: nobody writes it, and mlockall() comes to it before the slot.
#include <sys/mman.h>
#include <sys/resource.h>

#include <cerrno>
#include <optional>
#include <system_error>

#include "executor/memory/dirty/dirty_pages.h"
#include "executor/memory/dirty/pagemap.h"
#include "executor/memory/memory_file.h"

namespace azr::executor {
namespace {

std::optional<uint64_t> thread_faults() {
  rusage usage{};
  if (getrusage(RUSAGE_THREAD, &usage) != 0) return std::nullopt;
  return static_cast<uint64_t>(usage.ru_minflt) + static_cast<uint64_t>(usage.ru_majflt);
}

// A private mapping of a file, as the slot's own memory is, and a shared one of the same page. What
// is written to the shared one shows in the private one until that has been copied: the question
// costs two accesses of memory, where the kernel's answer takes a system call.
class Sentinel {
 public:
  explicit Sentinel(uint8_t* at) {
    const MemoryFile file(kPageBytes, "azr-sentinel");  // closed here: the mappings keep it
    seen_ = map(file, at, MAP_PRIVATE | MAP_FIXED);
    shown_ = map(file, nullptr, MAP_SHARED);
  }
  ~Sentinel() { munmap(const_cast<uint64_t*>(shown_), kPageBytes); }  // the other is the slot's
  Sentinel(const Sentinel&) = delete;
  Sentinel& operator=(const Sentinel&) = delete;

  bool is_copied() {
    *shown_ = ++count_;
    return *seen_ != count_;
  }
  void drop() { drop_private_pages(page(), kPageBytes); }
  // False when the kernel does not count the fault of a write, or says that nothing was copied.
  bool is_noticed() {
    const std::optional<uint64_t> before = thread_faults();
    *seen_ = 0;
    const std::optional<uint64_t> after = thread_faults();
    const bool is_private = is_private_page(page()).value_or(true);
    // Not dropped: it has been locked meanwhile, and is_copied() will say so.
    if (!drop_private_pages(page(), kPageBytes) || !before || !after) return true;
    return *after > *before && is_private;
  }

 private:
  static volatile uint64_t* map(const MemoryFile& file, uint8_t* at, int flags) {
    void* page = mmap(at, kPageBytes, PROT_READ | PROT_WRITE, flags, file.fd(), 0);
    if (page == MAP_FAILED) {
      throw std::system_error(errno, std::generic_category(), "cannot map a slot's sentinel page");
    }
    return static_cast<uint64_t*>(page);
  }
  uint8_t* page() const { return reinterpret_cast<uint8_t*>(const_cast<uint64_t*>(seen_)); }

  volatile uint64_t* seen_;
  volatile uint64_t* shown_;
  uint64_t count_ = 0;
};

class DirtyByFaults final : public DirtyPages {
 public:
  explicit DirtyByFaults(const WatchedMemory& memory)
      : memory_(memory), sentinel_(memory.base - kPageBytes) {}

  // A page that stays private is written without a fault: where the kernel does not drop them all,
  // faults say nothing.
  void watch_all() override {
    sentinel_.drop();
    is_blind_ = !drop_private_pages(memory_.base, memory_.image.size());
  }

  void begin() override { before_ = thread_faults(); }

  Knowledge find(const HotPages& hot, std::vector<PageRange>& written) override {
    const std::optional<uint64_t> after = thread_faults();
    if (is_blind_ || !before_ || !after) return Knowledge::kNothing;
    if (*after < *before_) return Knowledge::kBroken;
    if (sentinel_.is_copied()) return Knowledge::kNothing;  // a write need not have faulted
    const uint64_t faults = *after - *before_;
    if (faults == 0 || find_warm(hot, faults, written)) return Knowledge::kAll;
    written.clear();
    const bool is_known = find_private_pages(memory_.base, hot, faults, written);
    return is_known ? Knowledge::kAll : Knowledge::kNothing;
  }

  bool cool(const PageRange& pages) override {
    return drop_private_pages(memory_.base + pages.first * kPageBytes, pages.count * kPageBytes);
  }

  // Where it is copied, find() says so.
  bool still_notices() override { return sentinel_.is_copied() || sentinel_.is_noticed(); }

 private:
  // Whether as many warm pages differ from the image as there were faults: then no other page was
  // written. Comparing all warm pages takes some 20 us, a scan of the memory hundreds.
  bool find_warm(const HotPages& hot, uint64_t faults, std::vector<PageRange>& written) const {
    for (const size_t page : hot.warm()) {
      if (!memory_.differs({page, 1})) continue;
      written.push_back({page, 1});
      if (written.size() == faults) return true;
    }
    return false;
  }

  WatchedMemory memory_;
  Sentinel sentinel_;
  std::optional<uint64_t> before_;
  bool is_blind_ = false;
};

}  // namespace

std::unique_ptr<DirtyPages> watch_by_faults(const WatchedMemory& memory) {
  return std::make_unique<DirtyByFaults>(memory);
}

}  // namespace azr::executor
