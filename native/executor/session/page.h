// Pages of guest memory that the states of sessions share.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>

#include "executor/memory/image.h"

namespace azr::executor {

// How many bytes the states of one pool hold together.
struct Account {
  std::atomic<uint64_t> bytes = 0;
};

// Never changes once it is made; the account outlives it (State holds both).
class Page {
 public:
  Page(const uint8_t* bytes, Account& account) : account_(account) {
    std::memcpy(bytes_.data(), bytes, kPageBytes);
    account_.bytes += kPageBytes;
  }
  ~Page() { account_.bytes -= kPageBytes; }
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;

  const uint8_t* data() const { return bytes_.data(); }
  bool equals(const uint8_t* bytes) const {
    return std::memcmp(bytes_.data(), bytes, kPageBytes) == 0;
  }

 private:
  std::array<uint8_t, kPageBytes> bytes_;
  Account& account_;
};

using PagePtr = std::shared_ptr<const Page>;

}  // namespace azr::executor
