#include "executor/image.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace azr::executor {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

void write_page(int fd, const char* page, size_t offset) {
  if (pwrite(fd, page, kPageBytes, static_cast<off_t>(offset)) !=
      static_cast<ssize_t>(kPageBytes)) {
    fail("cannot fill the image");
  }
}

}  // namespace

Image::Image(std::string_view contents) : size_(contents.size()) {
  if (size_ == 0 || size_ % kWasmPageBytes != 0) {
    throw std::invalid_argument("an image is a whole number of WebAssembly pages");
  }
  fd_ = memfd_create("azr-image", MFD_CLOEXEC);
  if (fd_ < 0 || ftruncate(fd_, static_cast<off_t>(size_)) != 0) fail("cannot make the image");
  static constexpr std::array<char, kPageBytes> kZeros{};
  for (size_t at = 0; at < size_; at += kPageBytes) {
    if (std::memcmp(contents.data() + at, kZeros.data(), kPageBytes) != 0) {
      write_page(fd_, contents.data() + at, at);
    }
  }
  void* mapping = mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd_, 0);
  if (mapping == MAP_FAILED) fail("cannot map the image");
  pristine_ = static_cast<const uint8_t*>(mapping);
}

Image::~Image() {
  if (pristine_ != nullptr) munmap(const_cast<uint8_t*>(pristine_), size_);
  if (fd_ >= 0) close(fd_);
}

}  // namespace azr::executor
