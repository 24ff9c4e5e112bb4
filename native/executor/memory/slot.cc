#include "executor/memory/slot.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "executor/memory/dirty/pagemap.h"

namespace azr::executor {
namespace {

constexpr size_t kRangeBytes = kPageBytes + kReservedBytes + kGuardBytes;

[[noreturn]] void refuse(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

void* reserve() {
  void* range =
      mmap(nullptr, kRangeBytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (range == MAP_FAILED) refuse("cannot reserve a slot (mmap)");
  return range;
}

}  // namespace

Slot::Slot(std::shared_ptr<const Image> image, uint64_t check_every, const Way& way)
    : image_(std::move(image)),
      range_(reserve()),
      base_(static_cast<uint8_t*>(range_) + kPageBytes),
      size_(image_->size()),
      opened_(size_),
      check_every_(check_every),
      hot_(size_ / kPageBytes) {
  try {
    map_image();
    dirty_ = way.make(memory());
    dirty_->watch_all();
  } catch (...) {
    munmap(range_, kRangeBytes);
    throw;
  }
}

Slot::~Slot() {
  dirty_.reset();
  munmap(range_, kRangeBytes);
}

void Slot::map_image() {
  void* at = mmap(base_, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE,
                  image_->fd(), 0);
  if (at == MAP_FAILED) refuse("cannot map a slot's image (mmap)");
  // A huge page would make 2 MiB private at the first write and hide which pages are dirty.
  madvise(base_, size_, MADV_NOHUGEPAGE);
  drop_private_pages(base_, size_);  // there are none: maps the file's pages, to be read
}

void Slot::begin(size_t cap_bytes) {
  if (!is_as_new_) {
    shrink();
    renew();
  }
  is_as_new_ = false;
  cap_ = cap_bytes;
  cap_hit_ = false;
  refusal_ = 0;
  gc_.forgive();
  is_closed_ = false;
  dirty_->begin();
}

// All that is reserved: how much of it the guest has is the run's thread to say.
void Slot::close() {
  is_closed_ = true;
  dirty_->stop_watching();
  mprotect(base_, kReservedBytes, PROT_NONE);  // refused: tried again at the next tick
}

bool Slot::open() { return mprotect(base_, opened_, PROT_READ | PROT_WRITE) == 0; }

bool Slot::lend(const uint8_t* address) {
  return is_closed_ && address >= base_ && address < base_ + opened_ && open();
}

bool Slot::grow(size_t new_size) {
  if (new_size > cap_ || new_size > kReservedBytes) {
    cap_hit_ = true;
    return false;
  }
  opened_ = new_size;  // first: a call that is refused may have done a part
  if (mprotect(base_ + size_, new_size - size_, PROT_READ | PROT_WRITE) != 0) {
    refusal_ = errno;
    return false;
  }
  size_ = new_size;
  return true;
}

void Slot::shrink() {
  uint8_t* grown = base_ + image_->size();
  if (opened_ == image_->size()) return;
  if (madvise(grown, opened_ - image_->size(), MADV_DONTNEED) != 0) {
    std::memset(grown, 0, size_ - image_->size());  // locked memory
  }
  // Accessible, it would be memory that a smaller guest could reach, and no restore would empty.
  if (mprotect(grown, opened_ - image_->size(), PROT_NONE) != 0) {
    refuse("cannot shrink a slot (mprotect)");
  }
  size_ = opened_ = image_->size();
}

void Slot::find_written_pages() {
  if (knowledge_) return;
  if (is_closed_ && !open()) refuse("cannot open a slot (mprotect)");
  written_.clear();
  knowledge_ = dirty_->find(hot_, written_);
  if (is_closed_ && knowledge_ == Knowledge::kAll) knowledge_ = Knowledge::kNothing;
}

std::vector<uint32_t> Slot::changed_pages(size_t most) {
  static constexpr std::array<uint8_t, kPageBytes> kZeros{};
  find_written_pages();
  std::vector<PageRange> candidates{{0, hot_.pages()}};
  if (knowledge_ == Knowledge::kAll) {
    candidates = hot_.ranges();
    candidates.insert(candidates.end(), written_.begin(), written_.end());
    std::ranges::sort(candidates, {}, &PageRange::first);
  }
  std::vector<uint32_t> changed;
  for (const PageRange& pages : candidates) {
    for (size_t page = pages.first; page < pages.first + pages.count; ++page) {
      if (memory().differs({page, 1})) changed.push_back(static_cast<uint32_t>(page));
    }
  }
  for (size_t page = hot_.pages(); page < size_ / kPageBytes && changed.size() <= most; ++page) {
    if (std::memcmp(base_ + page * kPageBytes, kZeros.data(), kPageBytes) != 0) {
      changed.push_back(static_cast<uint32_t>(page));
    }
  }
  return changed;
}

bool Slot::restore() {
  ++counters_.restores;
  find_written_pages();
  Knowledge knowledge = *std::exchange(knowledge_, std::nullopt);
  shrink();
  const bool is_sample = counters_.restores % kSampleEvery == 0;
  if (is_sample) sample_hot_pages();
  copy_hot_pages();
  if (knowledge != Knowledge::kAll || !restore_written_pages()) renew();
  is_as_new_ = true;
  if (is_sample && !dirty_->still_notices()) knowledge = Knowledge::kBroken;
  if (knowledge != Knowledge::kBroken) return check();
  ++counters_.failed_checks;
  return false;
}

bool Slot::check() {
  if (check_every_ == 0 || counters_.restores % check_every_ != 0) return true;
  ++counters_.checks;
  if (matches_image()) return true;
  ++counters_.failed_checks;
  is_as_new_ = false;
  renew();
  is_as_new_ = true;
  return false;
}

// Gives the whole memory the image's bytes, knowing nothing of what was written. In place: a
// mapping that is refused halfway would leave a hole where anything of the host may be mapped.
void Slot::renew() {
  ++counters_.full_restores;
  if (mprotect(base_, size_, PROT_READ | PROT_WRITE) != 0) {
    refuse("cannot renew a slot (mprotect)");
  }
  if (!drop_private_pages(base_, size_)) {  // locked memory
    const HotPages none(hot_.pages());
    std::vector<PageRange> differing;
    const auto compared = watch_by_comparing(memory());
    compared->find(none, differing);
    for (const PageRange& pages : differing) compared->cool(pages);
  }
  hot_.clear();
  dirty_->watch_all();
}

void Slot::copy_hot_pages() {
  for (const PageRange& pages : hot_.ranges()) memory().copy_back(pages);
}

void Slot::sample_hot_pages() {
  for (const PageRange& pages : hot_.ranges()) {
    for (size_t page = pages.first; page < pages.first + pages.count; ++page) {
      const bool is_clean = !memory().differs({page, 1});
      // It stays hot where the machine refuses to have it watched.
      if (hot_.note_sample(page, is_clean) && dirty_->cool({page, 1})) hot_.remove(page);
    }
  }
}

// False when the machine refused: some pages may hold anything.
bool Slot::restore_written_pages() {
  if (!written_.empty()) ++counters_.slow_restores;
  for (const PageRange& pages : written_) {
    if (!hot_.add(pages)) {
      if (!dirty_->cool(pages)) return false;
      continue;
    }
    for (size_t page = pages.first; page < pages.first + pages.count; ++page) {
      if (!memory().differs({page, 1})) hot_.keep_longer(page);
    }
    memory().copy_back(pages);
  }
  return true;
}

bool Slot::matches_image() const {
  return std::memcmp(base_, image_->pristine(), image_->size()) == 0;
}

}  // namespace azr::executor
