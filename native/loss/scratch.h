// Aligned memory that is written before it is read.
#ifndef AZR_NATIVE_LOSS_SCRATCH_H_
#define AZR_NATIVE_LOSS_SCRATCH_H_

#include <cstddef>
#include <cstdint>
#include <memory>

namespace azr::loss {

// Asks the kernel for huge pages in [data, data + bytes): the first touch of 100 MB in 4 KiB pages
// takes 3 % of a whole loss. A hint: it never fails and changes no value.
void AdviseHugePages(void* data, std::size_t bytes) noexcept;

// `count` uninitialised values of T, aligned for any vector load. Move-only owner.
// Throws std::bad_alloc.
template <class T>
class Scratch {
 public:
  Scratch() = default;
  explicit Scratch(std::int64_t count)
      : data_(static_cast<T*>(Allocate(static_cast<std::size_t>(count) * sizeof(T)))) {}

  [[nodiscard]] T* data() const noexcept { return data_.get(); }

 private:
  struct Free {
    void operator()(void* data) const noexcept;
  };
  static void* Allocate(std::size_t bytes);

  std::unique_ptr<T, Free> data_;
};

// Of any type: the memory carries none.
void* AllocateAligned(std::size_t bytes);
void FreeAligned(void* data) noexcept;

template <class T>
void Scratch<T>::Free::operator()(void* data) const noexcept {
  FreeAligned(data);
}

template <class T>
void* Scratch<T>::Allocate(std::size_t bytes) {
  return AllocateAligned(bytes);
}

}  // namespace azr::loss

#endif  // AZR_NATIVE_LOSS_SCRATCH_H_
