// Pages of guest memory that the states of sessions share, as what they have beyond the image.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "executor/memory/image.h"
#include "executor/session/account.h"

namespace azr::executor {

// The blocks of a page that differ from the image's page (from zeros in memory that was grown): of
// a page that a turn has written, a tenth of the bytes on average. Never changes once it is made;
// the account outlives it (State holds both).
class Page {
 public:
  static constexpr size_t kBlockBytes = kPageBytes / 64;  // a bit of the mask each

  // Which blocks of a page differ from another's.
  static uint64_t differing(const uint8_t* bytes, const uint8_t* base) {
    uint64_t mask = 0;
    for (size_t i = 0; i < 64; ++i) {
      const size_t at = i * kBlockBytes;
      mask |= uint64_t{std::memcmp(bytes + at, base + at, kBlockBytes) != 0} << i;
    }
    return mask;
  }

  // `blocks`: those of the mask, one after the other.
  Page(uint64_t mask, std::vector<uint8_t> blocks, Account& account)
      : mask_(mask), blocks_(std::move(blocks)), account_(account) {
    account_.bytes += bytes();
  }
  ~Page() { account_.bytes -= bytes(); }
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;

  uint64_t mask() const { return mask_; }
  const std::vector<uint8_t>& blocks() const { return blocks_; }
  uint64_t bytes() const { return blocks_.size() + kOverheadBytes; }

  // Writes the blocks over a page of the image's bytes.
  void overlay(uint8_t* page) const {
    const uint8_t* block = blocks_.data();
    for (uint64_t left = mask_; left != 0; left &= left - 1, block += kBlockBytes) {
      std::memcpy(page + std::countr_zero(left) * kBlockBytes, block, kBlockBytes);
    }
  }
  // Whether a page, which differs from the image's by the mask, is this one.
  bool equals(uint64_t mask, const uint8_t* page) const {
    if (mask != mask_) return false;
    const uint8_t* block = blocks_.data();
    for (uint64_t left = mask_; left != 0; left &= left - 1, block += kBlockBytes) {
      const uint8_t* other = page + std::countr_zero(left) * kBlockBytes;
      if (std::memcmp(other, block, kBlockBytes) != 0) return false;
    }
    return true;
  }

 private:
  static constexpr uint64_t kOverheadBytes = 128;  // of this object, its place and its allocations

  uint64_t mask_;
  std::vector<uint8_t> blocks_;
  Account& account_;
};

using PagePtr = std::shared_ptr<const Page>;

}  // namespace azr::executor
