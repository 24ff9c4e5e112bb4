// A pristine linear memory that every slot starts from and returns to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace azr::executor {

constexpr size_t kPageBytes = 4096;
constexpr size_t kWasmPageBytes = 65536;

// Owns a memfd with the image's bytes and one shared read-only mapping of it. Zero pages are
// holes, so they cost no memory. Neither copied nor moved: slots hold its address.
class Image {
 public:
  // `contents` is a multiple of kWasmPageBytes. Throws std::system_error.
  explicit Image(std::string_view contents);
  ~Image();
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  int fd() const { return fd_; }
  size_t size() const { return size_; }
  const uint8_t* pristine() const { return pristine_; }

 private:
  int fd_ = -1;
  size_t size_ = 0;
  const uint8_t* pristine_ = nullptr;
};

}  // namespace azr::executor
