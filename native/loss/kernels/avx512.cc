// For x86-64 with AVX-512.
#include "loss/kernels/prelude.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")

namespace azr::loss {
namespace {

#include "loss/kernels/kernels_impl.h"
#include "loss/kernels/transpose_avx512.h"

struct Avx512 {
  static constexpr int kLanes = 16;
  static constexpr int kTileRows = 12;
  // One vector for a group of 12, though a quarter of it is idle: stores stay whole and aligned.
  static constexpr int kTilePitch = 16;
  static constexpr bool kPairs = false;
  static constexpr bool kTransposes = true;

  AZR_INLINE static Vec<Avx512> Accumulate(Vec<Avx512> sum, Word a, Vec<Avx512> b) {
    return sum + AsFloat(a) * b;
  }

  // 16 rows of 16 values become 16 rows of the strip; `stride` values between rows.
  AZR_INLINE static void Transpose16(const float* data, std::int64_t stride, Word* out) {
    __m512i rows[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {
      rows[i] = _mm512_loadu_si512(data + i * stride);
    }
    TransposeWords(rows, out);
  }

  AZR_INLINE static void Transpose16(const std::uint16_t* data, std::int64_t stride, Word* out) {
    __m512i rows[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {
      const __m256i half = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(data + i * stride));
      rows[i] = _mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16);
    }
    TransposeWords(rows, out);
  }
};

constexpr Kernels kTable = TableOf<Avx512>("avx512");

}  // namespace

constinit const Kernels* const kAvx512Kernels = &kTable;

}  // namespace azr::loss

#else

namespace azr::loss {
constinit const Kernels* const kAvx512Kernels = nullptr;
}  // namespace azr::loss

#endif
