#include "executor/memory/gc_region.h"

#include <sys/mman.h>

#include <cerrno>

#include "executor/memory/image.h"

namespace azr::executor {

bool GcRegion::take(size_t reserved_bytes, size_t minimum) {
  const size_t wanted = reserved_bytes == 0 ? kPageBytes : reserved_bytes;
  if (in_use_) return false;
  if (mapped_ < wanted) {
    unmap();
    void* range =
        mmap(nullptr, wanted, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (range == MAP_FAILED) {
      refusal_ = errno;
      return false;
    }
    base_ = static_cast<uint8_t*>(range);
    mapped_ = wanted;
  }
  in_use_ = minimum == 0 || grow(minimum);
  return in_use_;
}

bool GcRegion::grow(size_t new_size) {
  if (new_size > mapped_) return false;
  if (mprotect(base_, new_size, PROT_READ | PROT_WRITE) != 0) {
    refusal_ = errno;
    return false;
  }
  size_ = new_size;
  return true;
}

void GcRegion::release() {
  // What cannot be emptied in place is given back; the next instance maps a new region.
  const bool is_empty = size_ == 0 || (madvise(base_, size_, MADV_DONTNEED) == 0 &&
                                       mprotect(base_, size_, PROT_NONE) == 0);
  size_ = 0;
  in_use_ = false;
  if (!is_empty) unmap();
}

void GcRegion::unmap() {
  if (base_ != nullptr) munmap(base_, mapped_);  // refused: lost to this process, never used again
  base_ = nullptr;
  mapped_ = 0;
  size_ = 0;
}

}  // namespace azr::executor
