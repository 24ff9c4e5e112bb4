// How the host knows which pages of a slot a program wrote: isolation rests on it.
//
// There are several ways, because no one of them works everywhere: a kernel may not count page
// faults, may not answer a scan, or may hold the memory in a state in which no write faults. Each
// way is tried on a scratch slot before it is trusted (trial.h); none is chosen by the kernel's
// name or version.
//
//   faults   count this thread's page faults; when there were any, compare the warm pages, and ask
//            the kernel which others are private (PAGEMAP_SCAN) if that does not explain them all
//   traps    write-protect the cold pages; a SIGSEGV handler notes the page and opens it
//   scan     ask the kernel after every run
//   compare  compare the whole memory with the image after every run: right under anything
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "executor/memory/hot_pages.h"
#include "executor/memory/image.h"

namespace azr::executor {

// The part of a slot that maps its image. The page below `base` is mapped by nobody else: a way
// may use it.
struct WatchedMemory {
  uint8_t* base;
  const Image& image;

  bool differs(const PageRange& pages) const {
    const size_t at = pages.first * kPageBytes;
    return std::memcmp(base + at, image.pristine() + at, pages.count * kPageBytes) != 0;
  }
  // Gives the pages the image's bytes; they stay as private as they are.
  void copy_back(const PageRange& pages) const {
    const size_t at = pages.first * kPageBytes;
    std::memcpy(base + at, image.pristine() + at, pages.count * kPageBytes);
  }
};

enum class Knowledge : uint8_t {
  kAll,      // every cold page that was written is among those found
  kNothing,  // any page may have been written: the slot is renewed
  kBroken,   // the way contradicts itself: what it said before may have been wrong
};

// Not thread-safe: belongs to one slot, and all calls come from its worker's thread.
//
// A cold page holds the image's bytes and is watched. A hot page may be written unseen.
class DirtyPages {
 public:
  virtual ~DirtyPages() = default;

  // Watches all pages. They are readable and writable, and hold the image's bytes. Throws
  // std::system_error when the machine refuses.
  virtual void watch_all() = 0;
  // A run begins.
  virtual void begin() = 0;
  // From any thread: the memory is taken away from the run, so that faults are no writes of its.
  virtual void stop_watching() {}
  // The run has ended: appends to `written` the pages outside `hot` that it wrote, and maybe some
  // that it did not. They may be written unseen from now on. Throws std::system_error when the
  // machine refused something during the run.
  virtual Knowledge find(const HotPages& hot, std::vector<PageRange>& written) = 0;
  // Gives unwatched pages the image's bytes and watches them. False when the machine refuses: they
  // stay unwatched, with any bytes.
  virtual bool cool(const PageRange& pages) = 0;
  // Between two runs: whether a write of the host to a page of its own is noticed.
  virtual bool still_notices() { return true; }
};

struct Way {
  std::string_view name;
  std::unique_ptr<DirtyPages> (*make)(const WatchedMemory&);
};

// All ways, the fastest first; the last is right under anything.
std::span<const Way> all_ways();

std::unique_ptr<DirtyPages> watch_by_faults(const WatchedMemory& memory);
std::unique_ptr<DirtyPages> watch_by_traps(const WatchedMemory& memory);
std::unique_ptr<DirtyPages> watch_by_scan(const WatchedMemory& memory);
std::unique_ptr<DirtyPages> watch_by_comparing(const WatchedMemory& memory);

constexpr Way kCompareWay{"compare", watch_by_comparing};

}  // namespace azr::executor
