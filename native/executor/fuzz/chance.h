// A seeded source of the numbers and bytes that break things: the same seed, the same run.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace azr::fuzz {

class Chance {
 public:
  explicit Chance(uint64_t seed) : state_(seed) {}

  uint64_t next() {  // splitmix64
    uint64_t x = state_ += 0x9e3779b97f4a7c15;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  }
  // Below `limit`, which is not zero.
  uint64_t below(uint64_t limit) { return next() % limit; }
  bool one_in(uint64_t n) { return below(n) == 0; }

  // A number near a place where arithmetic goes wrong.
  uint64_t edge() {
    static constexpr std::array<uint64_t, 12> kEdges{0,
                                                     8,
                                                     1024,
                                                     65536,
                                                     0x7fffffff,
                                                     0x80000000,
                                                     0xffffffff,
                                                     0xfffffff8,
                                                     0x20000000,
                                                     uint64_t{1} << 32,
                                                     uint64_t{1} << 63,
                                                     ~uint64_t{0}};
    return kEdges[below(kEdges.size())] + below(33) - 16;
  }

  // Changes some bytes of `text`: flips, copies, cuts, repeats.
  void mutate(std::string& text) {
    for (uint64_t i = 1 + below(8); i > 0; --i) {
      if (text.empty()) text.push_back(static_cast<char>(next()));
      const size_t at = below(text.size());
      const size_t length = 1 + below(1 + below(text.size() - at));
      switch (below(6)) {
        case 0:
          text[at] = static_cast<char>(next());
          break;
        case 1:
          text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
          break;
        case 2:
          text.erase(at, length);
          break;
        case 3:
          if (text.size() < kMaxBytes) text.insert(below(text.size() + 1), text.substr(at, length));
          break;
        case 4:
          text.insert(at, 1, static_cast<char>(next()));
          break;
        default:
          text[at] = one_in(2) ? '\xff' : '\0';
      }
    }
  }

 private:
  static constexpr size_t kMaxBytes = 65536;
  uint64_t state_;
};

}  // namespace azr::fuzz
