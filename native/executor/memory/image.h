// A pristine linear memory that every slot starts from and returns to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "executor/memory/memory_file.h"

namespace azr::executor {

constexpr size_t kPageBytes = 4096;
constexpr size_t kWasmPageBytes = 65536;

// Memory without its zero pages, as files hold it: the size in bytes (u64), the number of pages
// kept (u64), their page numbers (u32 each, ascending), then the pages.
std::string pack_memory(std::string_view memory);

// Owns a file with the image's bytes and one shared read-only mapping of it. In memory, zero pages
// are holes, so they cost nothing. Neither copied nor moved: slots hold its address.
class Image {
 public:
  // `packed` comes from pack_memory(). Throws std::invalid_argument when it does not, and
  // std::runtime_error when the machine has no room.
  explicit Image(std::string_view packed);
  ~Image();
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  int fd() const { return file_.fd(); }
  size_t size() const { return size_; }
  const uint8_t* pristine() const { return pristine_; }
  // Whether the constructor would make the same of these bytes.
  bool was_made_of(std::string_view packed) const;

 private:
  size_t size_;
  std::string header_;  // all of the packed form but the pages
  MemoryFile file_;
  const uint8_t* pristine_ = nullptr;
};

}  // namespace azr::executor
