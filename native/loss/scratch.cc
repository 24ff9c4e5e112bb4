#include "loss/scratch.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace azr::loss {
namespace {

constexpr std::size_t kVectorBytes = 64;
constexpr std::size_t kHugePageBytes = std::size_t{2} << 20U;

std::size_t RoundUp(std::size_t value, std::size_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

}  // namespace

void AdviseHugePages([[maybe_unused]] void* data, [[maybe_unused]] std::size_t bytes) noexcept {
#ifdef __linux__
  const auto begin = RoundUp(reinterpret_cast<std::uintptr_t>(data), kHugePageBytes);
  const auto end =
      (reinterpret_cast<std::uintptr_t>(data) + bytes) / kHugePageBytes * kHugePageBytes;
  if (begin < end) {
    // A kernel without huge pages answers EINVAL, which costs speed alone.
    (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
  }
#endif
}

void* AllocateAligned(std::size_t bytes) {
  const std::size_t alignment = bytes >= kHugePageBytes ? kHugePageBytes : kVectorBytes;
  void* data = std::aligned_alloc(alignment, RoundUp(std::max<std::size_t>(bytes, 1), alignment));
  if (data == nullptr) {
    throw std::bad_alloc();
  }
  AdviseHugePages(data, bytes);
  return data;
}

void FreeAligned(void* data) noexcept { std::free(data); }

}  // namespace azr::loss
