// A reusable linear memory: filled from an image, dirtied by one guest, restored, used again.
//
//   [ a page for DirtyPages | image: private mapping of its file | grown | reserved: PROT_NONE ]
//                           ^ base()                      image size       ^ size()
//
// The restore is the largest cost left after the program itself, so it copies only what can be
// dirty: the hot pages (hot_pages.h), and those others that were written (dirty_pages.h).
//
// The machine may refuse any system call. A refusal is never a program's fault:
//
//   call                         refused (RLIMIT_AS or _DATA, overcommit, mappings, locked memory)
//   mmap, of a slot              the constructor throws
//   mprotect, growing            refusal() says so after the run: the run says nothing
//   madvise, dropping pages      the bytes are overwritten instead
//   mprotect, shrinking or       restore() throws; the next begin() renews the slot, or throws too,
//     watching                     so no program runs in a slot that is not as new
//   getrusage, pagemap, a scan   the slot is renewed after every run
//   all of a GcRegion            refusal(), or an instance that cannot be made (an exception)
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "executor/memory/dirty/dirty_pages.h"
#include "executor/memory/gc_region.h"
#include "executor/memory/hot_pages.h"
#include "executor/memory/image.h"

namespace azr::executor {

// Wasmtime elides bounds checks below this, so every slot reserves it.
constexpr size_t kReservedBytes = size_t{4} << 30;
constexpr size_t kGuardBytes = size_t{32} << 20;

struct SlotCounters {
  uint64_t restores = 0;
  uint64_t slow_restores = 0;  // pages outside the hot set were restored
  uint64_t full_restores = 0;  // the whole memory was renewed
  uint64_t checks = 0;         // sampled comparisons with the image
  uint64_t failed_checks = 0;  // they found a difference, or DirtyPages contradicted itself
};

// Not thread-safe, but for close(): one worker owns a slot.
class Slot {
 public:
  // The hot pages are compared with the image, to find those that are hot no more, at every so
  // many-th restore.
  static constexpr uint64_t kSampleEvery = 32;

  // `check_every`: compare the whole memory with the image after so many restores; 0: never.
  // Throws std::system_error when the machine refuses.
  Slot(std::shared_ptr<const Image> image, uint64_t check_every, const Way& way);
  ~Slot();
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  uint8_t* base() { return base_; }
  size_t size() const { return size_; }
  const Image& image() const { return *image_; }
  const SlotCounters& counters() const { return counters_; }
  size_t hot_pages() const { return hot_.size(); }
  GcRegion& gc() { return gc_; }
  bool matches_image() const;

  // Starts a run that may grow the memory to `cap_bytes`; no write to guest memory may come before
  // it. Throws std::system_error when the last restore did not finish and cannot be made good.
  void begin(size_t cap_bytes);
  // False when the cap forbids it, which `cap_hit()` says until the next begin(), or when the
  // machine refuses, which `refusal()` says.
  bool grow(size_t new_size);
  bool cap_hit() const { return cap_hit_; }
  // errno of a system call that was refused during the run; 0: none was.
  int refusal() const { return refusal_ != 0 ? refusal_ : gc_.refusal(); }

  // Takes the memory away from the run, from another thread. The next access faults: the guest's is
  // a trap, the host's has lend() give the memory back until it is closed again. No call of the
  // kernel may be given an address in the guest's memory: it would fail.
  void close();
  // In the signal handler of the run's thread: whether the access to this address may be done
  // again.
  bool lend(const uint8_t* address);

  // After a run, before its restore: the pages that differ from the image, and those of grown
  // memory that are not zero, in ascending order. More than `most` are not looked for.
  std::vector<uint32_t> changed_pages(size_t most);

  // Makes the memory equal to the image again. No store may use the slot any more.
  // Returns false when a sampled comparison failed: the slot has been renewed, but the results
  // since the last good comparison cannot be trusted. Throws std::system_error when the machine
  // refuses: the slot is not as new, which the next begin() makes good.
  bool restore();

 private:
  WatchedMemory memory() const { return {base_, *image_}; }
  void map_image();
  void shrink();
  void renew();
  void find_written_pages();
  void copy_hot_pages();
  void sample_hot_pages();
  bool restore_written_pages();
  bool check();
  bool open();

  std::shared_ptr<const Image> image_;
  void* range_ = nullptr;
  uint8_t* base_ = nullptr;
  size_t size_ = 0;
  size_t opened_ = 0;  // nothing above it has ever been accessible since it was set
  size_t cap_ = 0;
  bool cap_hit_ = false;
  bool is_as_new_ = true;
  std::atomic<bool> is_closed_ = false;  // since the last begin(), for a moment at least
  int refusal_ = 0;
  uint64_t check_every_;
  HotPages hot_;
  std::vector<PageRange> written_;      // by the last run, outside the hot set
  std::optional<Knowledge> knowledge_;  // of them; nothing before they were looked for
  std::unique_ptr<DirtyPages> dirty_;
  GcRegion gc_;
  SlotCounters counters_;
};

}  // namespace azr::executor
