#include "executor/slot.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace azr::executor {
namespace {

constexpr uint8_t kCold = 255;
// A hot page that no sample of this many in a row found dirty is released: copying it costs
// about 50 ns a run, a wrong release one page fault and one slow restore (tens of us).
constexpr uint8_t kCleanSamplesToDemote = 24;
constexpr uint64_t kSampleEvery = 32;
// Longer dirty stretches come from programs that use much memory: not worth keeping resident.
constexpr size_t kMaxPromotedRun = 32;
constexpr size_t kMaxHotPages = 1536;

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

uint64_t thread_faults() {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return static_cast<uint64_t>(usage.ru_minflt) + static_cast<uint64_t>(usage.ru_majflt);
}

}  // namespace

Slot::Slot(std::shared_ptr<const Image> image, uint64_t check_every)
    : image_(std::move(image)),
      check_every_(check_every),
      clean_samples_(image_->size() / kPageBytes, kCold) {
  void* range = mmap(nullptr, kReservedBytes + kGuardBytes, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) {
    throw std::system_error(errno, std::generic_category(), "cannot reserve a slot");
  }
  base_ = static_cast<uint8_t*>(range);
  map_image();
  size_ = image_->size();
}

Slot::~Slot() {
  if (gc_.base != nullptr) munmap(gc_.base, gc_.mapped);
  if (base_ != nullptr) munmap(base_, kReservedBytes + kGuardBytes);
}

void Slot::map_image() {
  void* at = mmap(base_, image_->size(), PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, image_->fd(), 0);
  if (at == MAP_FAILED) {
    throw std::system_error(errno, std::generic_category(), "cannot map a slot's image");
  }
  // A huge page would make 2 MiB private at the first write and hide which pages are dirty.
  madvise(base_, image_->size(), MADV_NOHUGEPAGE);
  madvise(base_, image_->size(), kMadvPopulateRead);
}

void Slot::begin(size_t cap_bytes) {
  cap_ = cap_bytes;
  cap_hit_ = false;
  faults_before_ = thread_faults();
}

bool Slot::grow(size_t new_size) {
  if (new_size > cap_ || new_size > kReservedBytes) {
    cap_hit_ = true;
    return false;
  }
  if (mprotect(base_ + size_, new_size - size_, PROT_READ | PROT_WRITE) != 0) return false;
  size_ = new_size;
  return true;
}

void Slot::shrink() {
  const size_t grown = size_ - image_->size();
  if (grown == 0) return;
  madvise(base_ + image_->size(), grown, MADV_DONTNEED);
  mprotect(base_ + image_->size(), grown, PROT_NONE);
  size_ = image_->size();
}

bool Slot::restore() {
  const uint64_t faults = thread_faults() - faults_before_;
  shrink();
  if (++counters_.restores % kSampleEvery == 0) sample_hot_pages();
  copy_hot_pages();
  if (faults > 0) {
    ++counters_.slow_restores;
    if (!restore_cold_pages(faults)) {
      ++counters_.full_restores;
      map_image();
      clean_samples_.assign(clean_samples_.size(), kCold);
      runs_stale_ = true;
    }
  }
  if (runs_stale_) rebuild_runs();
  if (check_every_ == 0 || counters_.restores % check_every_ != 0) return true;
  ++counters_.checks;
  if (matches_image()) return true;
  ++counters_.failed_checks;
  map_image();
  clean_samples_.assign(clean_samples_.size(), kCold);
  rebuild_runs();
  return false;
}

void Slot::copy_hot_pages() {
  const uint8_t* from = image_->pristine();
  for (const Run& run : runs_) {
    const size_t at = size_t{run.first} * kPageBytes;
    std::memcpy(base_ + at, from + at, size_t{run.count} * kPageBytes);
  }
}

void Slot::sample_hot_pages() {
  const uint8_t* from = image_->pristine();
  for (const Run& run : runs_) {
    for (size_t page = run.first; page < size_t{run.first} + run.count; ++page) {
      const size_t at = page * kPageBytes;
      if (std::memcmp(base_ + at, from + at, kPageBytes) != 0) {
        clean_samples_[page] = 0;
      } else if (++clean_samples_[page] >= kCleanSamplesToDemote) {
        demote(page);
      }
    }
  }
  if (runs_stale_) rebuild_runs();
}

void Slot::demote(size_t page) {
  // Dropping the private copy makes the next write fault again: that is what keeps a run
  // without faults a proof.
  uint8_t* at = base_ + page * kPageBytes;
  if (madvise(at, kPageBytes, MADV_DONTNEED) != 0) return;
  madvise(at, kPageBytes, kMadvPopulateRead);
  clean_samples_[page] = kCold;
  runs_stale_ = true;
}

void Slot::rebuild_runs() {
  runs_.clear();
  hot_count_ = 0;
  for (size_t page = 0; page < clean_samples_.size(); ++page) {
    if (clean_samples_[page] == kCold) continue;
    ++hot_count_;
    if (!runs_.empty() && runs_.back().first + runs_.back().count == page) {
      ++runs_.back().count;
    } else {
      runs_.push_back({static_cast<uint32_t>(page), 1});
    }
  }
  runs_stale_ = false;
}

bool Slot::restore_cold_pages(uint64_t faults) {
  // A run that wrote to n cold pages has faulted n times, so n private pages outside the hot set
  // are all there are. Looking at a page costs about 40 ns and there are ten thousand: look where
  // programs write first, which is the heap's end, and stop when all are found. Faults of other
  // memory (the host's) only make the search longer.
  constexpr size_t kPagesAtOnce = 1024;
  uint64_t found = 0;
  for (size_t end = clean_samples_.size(); end > 0 && found < faults;) {
    const size_t first = end > kPagesAtOnce ? end - kPagesAtOnce : 0;
    if (!restore_private_pages(first, end, found)) return false;
    end = first;
  }
  return true;
}

// Restores the private pages among [first, end) that are not hot, and counts them.
bool Slot::restore_private_pages(size_t first, size_t end, uint64_t& found) {
  std::array<PageRegion, 512> regions;  // filled by the kernel
  const auto base = reinterpret_cast<uint64_t>(base_);
  ScanArgument scan{};
  scan.size = sizeof(scan);
  scan.start = base + first * kPageBytes;
  scan.end = base + end * kPageBytes;
  scan.vec = reinterpret_cast<uint64_t>(regions.data());
  scan.vec_len = regions.size();
  // Private copies: not backed by the file any more, whether resident or swapped out.
  scan.category_inverted = kPageIsFile;
  scan.category_mask = kPageIsFile;
  scan.category_anyof_mask = kPageIsPresent | kPageIsSwapped;
  scan.return_mask = kPageIsPresent | kPageIsSwapped;
  while (scan.start < scan.end) {
    const int count = ioctl(pagemap_fd(), kPagemapScan, &scan);
    if (count < 0) return false;
    for (int i = 0; i < count; ++i) {
      const PageRegion& region = regions[static_cast<size_t>(i)];
      found += restore_range((region.start - base) / kPageBytes,
                             (region.end - region.start) / kPageBytes);
    }
    if (scan.walk_end <= scan.start) return false;
    scan.start = scan.walk_end;
  }
  return true;
}

size_t Slot::restore_range(size_t first, size_t count) {
  const size_t end = first + count;
  size_t restored = 0;
  for (size_t page = first; page < end;) {
    if (clean_samples_[page] != kCold) {
      ++page;
      continue;
    }
    size_t last = page;
    while (last < end && clean_samples_[last] == kCold) ++last;
    const size_t pages = last - page;
    const size_t at = page * kPageBytes;
    if (pages <= kMaxPromotedRun && hot_count_ + pages <= kMaxHotPages) {
      std::memcpy(base_ + at, image_->pristine() + at, pages * kPageBytes);
      for (size_t k = page; k < last; ++k) clean_samples_[k] = 0;
      hot_count_ += pages;
      runs_stale_ = true;
    } else {
      madvise(base_ + at, pages * kPageBytes, MADV_DONTNEED);
      madvise(base_ + at, pages * kPageBytes, kMadvPopulateRead);
    }
    restored += pages;
    page = last;
  }
  return restored;
}

bool Slot::matches_image() const {
  return std::memcmp(base_, image_->pristine(), image_->size()) == 0;
}

GcRegion* Slot::take_gc_region(size_t reserved_bytes, size_t minimum) {
  const size_t wanted = reserved_bytes == 0 ? kPageBytes : reserved_bytes;
  if (gc_.in_use) return nullptr;
  if (gc_.mapped < wanted) {
    void* range =
        mmap(nullptr, wanted, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) return nullptr;
    if (gc_.base != nullptr) munmap(gc_.base, gc_.mapped);
    gc_ = {static_cast<uint8_t*>(range), wanted, 0, false};
  }
  gc_.in_use = true;
  if (minimum > 0 && !grow_gc_region(gc_, minimum)) {
    gc_.in_use = false;
    return nullptr;
  }
  return &gc_;
}

bool Slot::grow_gc_region(GcRegion& region, size_t new_size) {
  if (new_size > region.mapped) return false;
  if (mprotect(region.base, new_size, PROT_READ | PROT_WRITE) != 0) return false;
  region.size = new_size;
  return true;
}

void Slot::release_gc_region(GcRegion& region) {
  if (region.size > 0) {
    madvise(region.base, region.size, MADV_DONTNEED);
    mprotect(region.base, region.size, PROT_NONE);
  }
  region.size = 0;
  region.in_use = false;
}

}  // namespace azr::executor
