#include "loss/scratch.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <new>
#include <utility>

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

// Blocks that wait for a next call, the oldest first. Never destroyed: a thread may outlive
// statics.
class Waiting {
 public:
  static Waiting& Instance() {
    static auto* const waiting = new Waiting;
    return *waiting;
  }

  // The smallest block of at least `bytes` that is not much too large, or none.
  Block Take(std::size_t bytes) noexcept {
    const std::scoped_lock lock(mutex_);
    Block* best = nullptr;
    for (Block& block : blocks_) {
      const bool fits = block.bytes >= bytes && block.bytes <= 4 * bytes;
      if (fits && (best == nullptr || block.bytes < best->bytes)) {
        best = &block;
      }
    }
    return best == nullptr ? Block{} : std::exchange(*best, Block{});
  }

  // Keeps the block; the oldest goes, or the block itself if it is too large to be kept.
  void Keep(Block block) noexcept {
    const std::scoped_lock lock(mutex_);
    std::size_t total = block.bytes;
    for (const Block& other : blocks_) {
      total += other.bytes;
    }
    std::ranges::rotate(blocks_, std::ranges::find(blocks_, nullptr, &Block::data));
    for (std::size_t i = 0; i < blocks_.size() && (i == 0 || total > kMostBytes); ++i) {
      total -= blocks_[i].bytes;
      std::free(std::exchange(blocks_[i], Block{}).data);
    }
    if (total > kMostBytes) {
      std::free(block.data);
      return;
    }
    std::ranges::rotate(blocks_, blocks_.begin() + 1);
    blocks_.back() = block;
  }

  std::size_t Release() noexcept {
    const std::scoped_lock lock(mutex_);
    std::size_t total = 0;
    for (Block& block : blocks_) {
      total += block.bytes;
      std::free(std::exchange(block, Block{}).data);
    }
    return total;
  }

 private:
  static constexpr std::size_t kMostBytes = std::size_t{1} << 30U;

  std::mutex mutex_;
  std::array<Block, 8> blocks_{};
};

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

Block AllocateBlock(std::size_t bytes) {
  const bool is_large = bytes >= kHugePageBytes;
  if (const Block kept = is_large ? Waiting::Instance().Take(bytes) : Block{};
      kept.data != nullptr) {
    return kept;
  }
  const std::size_t alignment = is_large ? kHugePageBytes : kVectorBytes;
  bytes = RoundUp(std::max<std::size_t>(bytes, 1), alignment);
  void* data = std::aligned_alloc(alignment, bytes);
  if (data == nullptr) {
    throw std::bad_alloc();
  }
  AdviseHugePages(data, bytes);
  return {data, bytes};
}

void FreeBlock(Block block) noexcept {
  if (block.bytes < kHugePageBytes) {
    std::free(block.data);
    return;
  }
#ifdef __linux__
  (void)madvise(block.data, block.bytes, MADV_FREE);
#endif
  Waiting::Instance().Keep(block);
}

std::size_t ReleaseScratch() noexcept { return Waiting::Instance().Release(); }

}  // namespace azr::loss
