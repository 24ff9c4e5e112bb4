// azr_fuzz SECONDS SEED: runs every target for its share of the time. Built by scripts/sanitize.sh
// with ASan and UBSan, which end it at the first fault. A fault is repeated by its printed seed.
#include <array>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

#include "executor/fuzz/targets.h"

namespace {

using Clock = std::chrono::steady_clock;

struct Target {
  const char* name;
  void (*run)(azr::fuzz::Chance&);
};

constexpr std::array kTargets{
    Target{"host_call", azr::fuzz::host_call},     Target{"value_text", azr::fuzz::value_text},
    Target{"literal", azr::fuzz::literal},         Target{"audit", azr::fuzz::audit},
    Target{"saved_state", azr::fuzz::saved_state},
};
// No input is larger than 200 kB, and all work is nearly linear: a few ms, ten times that under
// sanitizers. What takes this long is a fault, even on a machine with other things to do.
constexpr double kTooSlow = 10.0;

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

void run(const Target& target, double seconds, uint64_t seed) {
  const auto start = Clock::now();
  uint64_t inputs = 0;
  double slowest = 0;
  for (; since(start) < seconds; ++inputs) {
    azr::fuzz::Chance chance(seed + inputs);  // each input has a seed of its own
    const auto begin = Clock::now();
    target.run(chance);
    const double took = since(begin);
    if (took > slowest) slowest = took;
    if (took > kTooSlow) {
      std::fprintf(stderr, "fuzz: %s: seed %" PRIu64 " took %.1f s\n", target.name, seed + inputs,
                   took);
      std::abort();
    }
  }
  std::printf("fuzz: %-10s %9" PRIu64 " inputs from seed %" PRIu64 ", slowest %.3f s\n",
              target.name, inputs, seed, slowest);
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: azr_fuzz SECONDS SEED\n");
    return 2;
  }
  const double seconds = std::strtod(argv[1], nullptr) / static_cast<double>(kTargets.size());
  const uint64_t seed = std::strtoull(argv[2], nullptr, 10);
  for (const Target& target : kTargets) {
    std::printf("fuzz: %-10s seed %" PRIu64 "\n", target.name, seed);
    std::fflush(stdout);
    run(target, seconds, seed);
  }
  return 0;
}
