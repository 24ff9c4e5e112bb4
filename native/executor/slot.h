// A reusable linear memory: filled from an image, dirtied by one guest, restored, used again.
//
//   [ image: private copy-on-write mapping of the memfd | grown: anonymous | reserved: PROT_NONE ]
//   ^ base()                                            ^ image size       ^ size()
//
// The restore is the largest cost left after the program itself, so it copies only what can be
// dirty. Each slot keeps a *hot set*: pages that programs usually write stay resident and are
// copied back after every run. A write to any other page must fault, so a run without a page
// fault has dirtied hot pages only. After a run with faults the kernel is asked which other pages
// are private copies (PAGEMAP_SCAN), or, where it cannot say, the whole mapping is renewed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "executor/image.h"

namespace azr::executor {

// Wasmtime elides bounds checks below this, so every slot reserves it.
constexpr size_t kReservedBytes = size_t{4} << 30;
constexpr size_t kGuardBytes = size_t{32} << 20;

struct SlotCounters {
  uint64_t restores = 0;
  uint64_t slow_restores = 0;  // the run faulted: the kernel was asked what is dirty
  uint64_t full_restores = 0;  // the whole mapping was renewed
  uint64_t checks = 0;         // sampled comparisons with the image
  uint64_t failed_checks = 0;  // comparisons that found a difference: a bug or a broken machine
};

// An address range for wasmtime's own garbage-collected heap, which it asks of the same memory
// creator. Kept by the slot because a fresh 4 GiB mapping per instance is slow and would leak.
struct GcRegion {
  uint8_t* base = nullptr;
  size_t mapped = 0;
  size_t size = 0;
  bool in_use = false;
};

// Not thread-safe: one worker owns a slot.
class Slot {
 public:
  // `check_every`: compare the whole memory with the image after so many restores; 0: never.
  Slot(std::shared_ptr<const Image> image, uint64_t check_every);
  ~Slot();
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  uint8_t* base() { return base_; }
  size_t size() const { return size_; }
  const Image& image() const { return *image_; }
  const SlotCounters& counters() const { return counters_; }
  size_t hot_pages() const { return hot_count_; }

  // Starts a run that may grow the memory to `cap_bytes`; it notes the page faults of this thread
  // so far, so no write to guest memory may come before it.
  void begin(size_t cap_bytes);
  // False when the cap forbids it; `cap_hit()` stays true until the next begin().
  bool grow(size_t new_size);
  bool cap_hit() const { return cap_hit_; }

  // Makes the memory equal to the image again. No store may use the slot any more.
  // Returns false when a sampled comparison failed: the slot has been renewed, but the results
  // since the last good comparison cannot be trusted.
  bool restore();

  // Whether wasmtime has put anything on its GC heap.
  bool gc_heap_used() const { return gc_.size > 0; }

  // Reserves (once) the region for a GC heap; null when it cannot.
  GcRegion* take_gc_region(size_t reserved_bytes, size_t minimum);
  static bool grow_gc_region(GcRegion& region, size_t new_size);
  static void release_gc_region(GcRegion& region);

 private:
  struct Run {  // hot pages [first, first + count)
    uint32_t first;
    uint32_t count;
  };

  void map_image();
  void shrink();
  void copy_hot_pages();
  void sample_hot_pages();
  void demote(size_t page);
  void rebuild_runs();
  bool restore_cold_pages(uint64_t faults);
  bool restore_private_pages(size_t first, size_t end, uint64_t& found);
  size_t restore_range(size_t first, size_t count);
  bool matches_image() const;

  std::shared_ptr<const Image> image_;
  uint8_t* base_ = nullptr;
  size_t size_ = 0;
  size_t cap_ = 0;
  bool cap_hit_ = false;
  uint64_t faults_before_ = 0;
  uint64_t check_every_;
  std::vector<uint8_t> clean_samples_;  // per page: kCold, or how long it has been clean
  std::vector<Run> runs_;
  size_t hot_count_ = 0;
  bool runs_stale_ = false;
  GcRegion gc_;
  SlotCounters counters_;
};

}  // namespace azr::executor
