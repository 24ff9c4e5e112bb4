#include "executor/memory/dirty/pagemap.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>

#include "executor/memory/image.h"

namespace azr::executor {
namespace {

// Of an entry of /proc/self/pagemap (Documentation/admin-guide/mm/pagemap.rst).
constexpr uint64_t kEntryIsFile = uint64_t{1} << 61;
constexpr uint64_t kEntryIsSwapped = uint64_t{1} << 62;
constexpr uint64_t kEntryIsPresent = uint64_t{1} << 63;

// MADV_POPULATE_READ (Linux 5.14; refused without harm by older kernels): maps the pages without
// copying them, so that reading one later is no fault.
constexpr int kMadvPopulateRead = 22;

// linux/fs.h of 6.7 and later; declared here because build machines have older headers.
struct PageRegion {
  uint64_t start;
  uint64_t end;
  uint64_t categories;
};

struct ScanArgument {
  uint64_t size;
  uint64_t flags;
  uint64_t start;
  uint64_t end;
  uint64_t walk_end;
  uint64_t vec;
  uint64_t vec_len;
  uint64_t max_pages;
  uint64_t category_inverted;
  uint64_t category_mask;
  uint64_t category_anyof_mask;
  uint64_t return_mask;
};

constexpr uint64_t kPageIsFile = 1 << 2;
constexpr uint64_t kPageIsPresent = 1 << 3;
constexpr uint64_t kPageIsSwapped = 1 << 4;
constexpr unsigned long kPagemapScan = _IOWR('f', 16, ScanArgument);

int pagemap_fd() {
  static const int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  return fd;
}

// Appends those of [first, first + count) that are not hot, and counts them.
uint64_t add_cold(const HotPages& hot, size_t first, size_t count, std::vector<PageRange>& found) {
  const size_t end = first + count;
  uint64_t added = 0;
  for (size_t page = first; page < end; ++page) {
    if (hot.contains(page)) continue;
    const size_t from = page;
    while (page < end && !hot.contains(page)) ++page;
    found.push_back({from, page - from});
    added += page - from;
  }
  return added;
}

bool scan(const uint8_t* memory, const HotPages& hot, size_t first, size_t end, uint64_t& count,
          std::vector<PageRange>& found) {
  std::array<PageRegion, 512> regions;  // filled by the kernel
  const auto base = reinterpret_cast<uint64_t>(memory);
  ScanArgument argument{};
  argument.size = sizeof(argument);
  argument.start = base + first * kPageBytes;
  argument.end = base + end * kPageBytes;
  argument.vec = reinterpret_cast<uint64_t>(regions.data());
  argument.vec_len = regions.size();
  // Private copies: not backed by the file any more, whether resident or swapped out.
  argument.category_inverted = kPageIsFile;
  argument.category_mask = kPageIsFile;
  argument.category_anyof_mask = kPageIsPresent | kPageIsSwapped;
  argument.return_mask = kPageIsPresent | kPageIsSwapped;
  while (argument.start < argument.end) {
    const int regions_filled = ioctl(pagemap_fd(), kPagemapScan, &argument);
    if (regions_filled < 0) return false;
    for (int i = 0; i < regions_filled; ++i) {
      const PageRegion& region = regions[static_cast<size_t>(i)];
      count += add_cold(hot, (region.start - base) / kPageBytes,
                        (region.end - region.start) / kPageBytes, found);
    }
    if (argument.walk_end <= argument.start) return false;
    argument.start = argument.walk_end;
  }
  return true;
}

}  // namespace

std::optional<bool> is_private_page(const uint8_t* page) {
  uint64_t entry = 0;
  const auto at = static_cast<off_t>(reinterpret_cast<uint64_t>(page) / kPageBytes * sizeof(entry));
  if (pread(pagemap_fd(), &entry, sizeof(entry), at) != sizeof(entry)) return std::nullopt;
  return (entry & (kEntryIsPresent | kEntryIsSwapped)) != 0 && (entry & kEntryIsFile) == 0;
}

bool find_private_pages(const uint8_t* base, const HotPages& hot, uint64_t enough,
                        std::vector<PageRange>& found) {
  // Looking at a page costs about 40 ns and there are ten thousand: look first where programs
  // write first, which is the heap's end.
  constexpr size_t kPagesAtOnce = 1024;
  uint64_t count = 0;
  for (size_t end = hot.pages(); end > 0 && count < enough;) {
    const size_t first = end > kPagesAtOnce ? end - kPagesAtOnce : 0;
    if (!scan(base, hot, first, end, count, found)) return false;
    end = first;
  }
  return true;
}

bool drop_private_pages(uint8_t* first, size_t bytes) {
  if (madvise(first, bytes, MADV_DONTNEED) != 0) return false;
  madvise(first, bytes, kMadvPopulateRead);  // refused: reading one is a fault, and only slower
  return true;
}

}  // namespace azr::executor
