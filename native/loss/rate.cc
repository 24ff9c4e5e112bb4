#include "loss/rate.h"

#include <omp.h>

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "loss/dispatch.h"
#include "loss/kernels/kernels.h"
#include "loss/scratch.h"

namespace azr::loss {
namespace {

// A, B and C of one thread: 0.4 MB, which a second-level cache holds.
constexpr std::int64_t kRows = 96;
constexpr std::int64_t kWords = 288;
constexpr int kRepeats = 200;

}  // namespace

double ProductRate(std::string_view isa, Storage storage, int num_threads, int rounds) {
  const Kernels& kernels = KernelsFor(isa, storage, storage);
  const std::int64_t words = (kRows + kPanel) * kWords;
  const Scratch<Word> operands(num_threads * words);
  const Scratch<float> results(num_threads * kRows * kPanel);
  std::fill_n(operands.data(), num_threads * words, Word{0});
  double best = 0.0;
  for (int round = 0; round < rounds; ++round) {
    const double start = omp_get_wtime();
#pragma omp parallel num_threads(num_threads)
    {
      const std::int64_t thread = omp_get_thread_num();
      const Word* own = operands.data() + thread * words;
      for (int i = 0; i < kRepeats; ++i) {
        kernels.multiply({.rows = kRows,
                          .columns = kPanel,
                          .k_words = kWords,
                          .a = own,
                          .a_stride = kWords,
                          .b = own + kRows * kWords,
                          .c = results.data() + thread * kRows * kPanel,
                          .c_stride = kPanel,
                          .strips_at_once = kPanel / kernels.strip,
                          .accumulate = false,
                          .rounded = nullptr});
      }
    }
    const double seconds = omp_get_wtime() - start;
    const auto operations = static_cast<double>(2 * kRows * kPanel * kWords) *
                            (kernels.pairs ? 2 : 1) * kRepeats * num_threads;
    best = std::max(best, operations / seconds);
  }
  return best;
}

}  // namespace azr::loss
