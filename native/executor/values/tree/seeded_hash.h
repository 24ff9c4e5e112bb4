// SipHash-1-3, a keyed hash: who does not know the key finds no two values that collide. Values of
// untrusted programs are hashed with nothing else.
//
// Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012); as in CPython.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string_view>

namespace azr::executor {

struct HashKey {
  uint64_t k0 = 0;
  uint64_t k1 = 0;
  // Which bits count. Fewer than 64 make collisions, which tests need.
  uint64_t mask = ~uint64_t{0};

  static HashKey fresh(uint64_t mask) {
    std::random_device source;
    const auto word = [&source] { return uint64_t{source()} << 32 | source(); };
    return {word(), word(), mask};
  }
};

// Takes words. Bytes are taken with their length before them, so that no two inputs are one stream.
class SeededHash {
 public:
  explicit SeededHash(const HashKey& key)
      : v0_(key.k0 ^ 0x736f6d6570736575U),
        v1_(key.k1 ^ 0x646f72616e646f6dU),
        v2_(key.k0 ^ 0x6c7967656e657261U),
        v3_(key.k1 ^ 0x7465646279746573U),
        mask_(key.mask) {}

  void add(uint64_t word) {
    v3_ ^= word;
    round();
    v0_ ^= word;
  }

  void add(std::string_view bytes) {
    add(uint64_t{bytes.size()});
    for (; bytes.size() >= sizeof(uint64_t); bytes.remove_prefix(sizeof(uint64_t))) {
      add(word_of(bytes, sizeof(uint64_t)));
    }
    if (!bytes.empty()) add(word_of(bytes, bytes.size()));
  }

  uint64_t finish() {
    v2_ ^= 0xff;
    for (int i = 0; i < 3; ++i) round();
    return (v0_ ^ v1_ ^ v2_ ^ v3_) & mask_;
  }

 private:
  static uint64_t word_of(std::string_view bytes, size_t count) {
    uint64_t word = 0;
    std::memcpy(&word, bytes.data(), count);
    return word;
  }

  void round() {
    v0_ += v1_;
    v2_ += v3_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v1_;
    v0_ += v3_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ = std::rotl(v2_, 32);
  }

  uint64_t v0_, v1_, v2_, v3_;
  uint64_t mask_;
};

}  // namespace azr::executor
