#include "executor/memory/image.h"

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

constexpr std::array<char, kPageBytes> kZeros{};

template <typename T>
T load(std::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

template <typename T>
void append(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void write_all(int fd, const char* data, size_t count, size_t offset) {
  while (count > 0) {
    const ssize_t written = pwrite(fd, data, count, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail("cannot fill the image (pwrite)");
    const auto done = static_cast<size_t>(written);
    data += done;
    count -= done;
    offset += done;
  }
}

constexpr size_t kHeaderBytes = 16;

size_t checked_size(std::string_view packed) {
  if (packed.size() < kHeaderBytes) throw std::invalid_argument("not a packed image");
  const auto size = load<uint64_t>(packed, 0);
  const auto count = load<uint64_t>(packed, 8);
  if (size == 0 || size % kWasmPageBytes != 0 || count > size / kPageBytes ||
      count > packed.size() / kPageBytes ||  // so that the product below cannot wrap
      packed.size() != kHeaderBytes + count * (sizeof(uint32_t) + kPageBytes)) {
    throw std::invalid_argument("not a packed image");
  }
  return size;
}

// Of packed bytes that were checked:
size_t page_count(std::string_view packed) { return load<uint64_t>(packed, 8); }
size_t header_bytes(size_t count) { return kHeaderBytes + count * sizeof(uint32_t); }
size_t page_number(std::string_view packed, size_t i) {
  return load<uint32_t>(packed, header_bytes(i));
}

}  // namespace

std::string pack_memory(std::string_view memory) {
  std::string numbers;
  std::string pages;
  for (size_t at = 0; at + kPageBytes <= memory.size(); at += kPageBytes) {
    if (std::memcmp(memory.data() + at, kZeros.data(), kPageBytes) == 0) continue;
    append(numbers, static_cast<uint32_t>(at / kPageBytes));
    pages.append(memory, at, kPageBytes);
  }
  std::string packed;
  append(packed, uint64_t{memory.size()});
  append(packed, uint64_t{pages.size() / kPageBytes});
  return packed + numbers + pages;
}

Image::Image(std::string_view packed)
    : size_(checked_size(packed)),
      header_(packed.substr(0, header_bytes(page_count(packed)))),
      file_(size_, "azr-image") {
  const size_t count = page_count(packed);
  const char* pages = packed.data() + header_bytes(count);
  const auto number = [&](size_t i) { return page_number(packed, i); };
  for (size_t i = 0; i < count;) {
    size_t end = i + 1;  // one write for each stretch of neighbours
    while (end < count && number(end) == number(i) + (end - i)) ++end;
    if (number(end - 1) >= size_ / kPageBytes) throw std::invalid_argument("not a packed image");
    write_all(fd(), pages + i * kPageBytes, (end - i) * kPageBytes, number(i) * kPageBytes);
    i = end;
  }
  void* mapping = mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd(), 0);
  if (mapping == MAP_FAILED) fail("cannot map the image (mmap)");
  pristine_ = static_cast<const uint8_t*>(mapping);
}

bool Image::was_made_of(std::string_view packed) const {
  const size_t count = page_count(header_);
  if (packed.size() != header_.size() + count * kPageBytes) return false;
  if (packed.substr(0, header_.size()) != header_) return false;
  const char* pages = packed.data() + header_.size();
  for (size_t i = 0; i < count; ++i) {
    const uint8_t* page = pristine_ + page_number(header_, i) * kPageBytes;
    if (std::memcmp(page, pages + i * kPageBytes, kPageBytes) != 0) return false;
  }
  return true;
}

Image::~Image() { munmap(const_cast<uint8_t*>(pristine_), size_); }

}  // namespace azr::executor
