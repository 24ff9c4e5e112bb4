#include "executor/job/circumstances.h"

namespace azr::executor {

namespace {

constexpr uint64_t kMostYearsNs = uint64_t{8} * 366 * 86'400 * 1'000'000'000;
constexpr uint64_t kMostUptimeNs = uint64_t{1'000'000} * 1'000'000'000;

}  // namespace

uint64_t mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

uint64_t hash_text(std::string_view text, uint64_t seed) {
  uint64_t hash = 0xcbf29ce484222325 ^ seed;
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

void set_clocks(size_t image, GuestIo& io) {
  io.epoch_ns = kNewYear2026Ns + (image == 0 ? 0 : mix(2 * image) % kMostYearsNs);
  io.clock_ns = 1'000'000'000 + (image == 0 ? 0 : mix(2 * image + 1) % kMostUptimeNs);
}

}  // namespace azr::executor
