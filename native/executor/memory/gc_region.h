// An address range for wasmtime's own garbage-collected heap, which it asks of the same memory
// creator. Kept by the slot because a fresh 4 GiB mapping per instance is slow and would leak.
#pragma once

#include <cstddef>
#include <cstdint>

namespace azr::executor {

// Not thread-safe: belongs to a slot.
class GcRegion {
 public:
  GcRegion() = default;
  ~GcRegion() { unmap(); }
  GcRegion(const GcRegion&) = delete;
  GcRegion& operator=(const GcRegion&) = delete;

  uint8_t* base() { return base_; }
  size_t mapped() const { return mapped_; }
  size_t size() const { return size_; }

  // Reserves (once) so many bytes. False when it is in use, or the machine refuses.
  bool take(size_t reserved_bytes, size_t minimum);
  // False when the region is too small, or the machine refuses: refusal() says which.
  bool grow(size_t new_size);
  // Holds zeros, or nothing, from now on.
  void release();

  // errno of the system call that was refused since the last call of forgive(); 0: none.
  int refusal() const { return refusal_; }
  void forgive() { refusal_ = 0; }

 private:
  void unmap();

  uint8_t* base_ = nullptr;
  size_t mapped_ = 0;
  size_t size_ = 0;
  bool in_use_ = false;
  int refusal_ = 0;
};

}  // namespace azr::executor
