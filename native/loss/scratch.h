// Aligned memory that is written before it is read.
#ifndef AZR_NATIVE_LOSS_SCRATCH_H_
#define AZR_NATIVE_LOSS_SCRATCH_H_

#include <cstddef>
#include <cstdint>
#include <utility>

namespace azr::loss {

// Asks the kernel for huge pages in [data, data + bytes): the first touch of 100 MB in 4 KiB pages
// takes 3 % of a whole loss. A hint: it never fails and changes no value.
void AdviseHugePages(void* data, std::size_t bytes) noexcept;

// Memory of no type, aligned for any vector load, and at least as large as was asked for.
struct Block {
  void* data = nullptr;
  std::size_t bytes = 0;
};

// Large blocks outlive their owner, for the next call: clearing fresh pages takes 5 to 20 % of a
// whole loss. While they wait the kernel may take their pages whenever it needs memory; 8 blocks
// and 1 GiB wait at most. Thread-safe. The first throws std::bad_alloc.
[[nodiscard]] Block AllocateBlock(std::size_t bytes);
void FreeBlock(Block block) noexcept;

// Frees the blocks that wait, and returns how many bytes they had.
std::size_t ReleaseScratch() noexcept;

// `count` uninitialised values of T. Move-only owner. Throws std::bad_alloc.
template <class T>
class Scratch {
 public:
  Scratch() = default;
  explicit Scratch(std::int64_t count)
      : block_(AllocateBlock(static_cast<std::size_t>(count) * sizeof(T))) {}
  Scratch(Scratch&& other) noexcept : block_(std::exchange(other.block_, Block{})) {}
  Scratch& operator=(Scratch&& other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    if (block_.data != nullptr) {
      FreeBlock(block_);
    }
  }

  [[nodiscard]] T* data() const noexcept { return static_cast<T*>(block_.data); }

 private:
  Block block_;
};

}  // namespace azr::loss

#endif  // AZR_NATIVE_LOSS_SCRATCH_H_
