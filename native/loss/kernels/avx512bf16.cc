// For x86-64 with AVX-512 and its bfloat16 dot product.
#include "loss/kernels/prelude.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#include <immintrin.h>
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")

namespace azr::loss {
namespace {

#include "loss/kernels/kernels_impl.h"
#include "loss/kernels/transpose_avx512.h"

struct Avx512Bf16 {
  static constexpr int kLanes = 16;
  static constexpr int kTileRows = 12;
  // One vector for a group of 12, though a quarter of it is idle: stores stay whole and aligned.
  static constexpr int kTilePitch = 16;
  static constexpr bool kPairs = true;
  static constexpr bool kTransposes = true;

  AZR_INLINE static Vec<Avx512Bf16> Accumulate(Vec<Avx512Bf16> sum, Word a, Vec<Avx512Bf16> b) {
    const __m512i pair = _mm512_set1_epi32(static_cast<int>(a));
    return _mm512_dpbf16_ps(sum, std::bit_cast<__m512bh>(pair), std::bit_cast<__m512bh>(b));
  }

  // A row of kPanel floats to pairs, to the nearest, ties to even.
  AZR_INLINE static void RoundPairs(const float* values, Word* out) {
    for (std::int64_t j = 0; j < kPanel; j += 32) {
      const __m512bh pairs =
          _mm512_cvtne2ps_pbh(_mm512_loadu_ps(values + j + 16), _mm512_loadu_ps(values + j));
      _mm512_storeu_si512(out + j / 2, std::bit_cast<__m512i>(pairs));
    }
  }

  // 16 rows of 16 pairs become 16 rows of the strip; `stride` values between rows.
  AZR_INLINE static void Transpose16(const std::uint16_t* data, std::int64_t stride, Word* out) {
    __m512i rows[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) {
      rows[i] = _mm512_loadu_si512(data + i * stride);
    }
    TransposeWords(rows, out);
  }
};

constexpr Kernels kTable = TableOf<Avx512Bf16>("avx512bf16");

}  // namespace

constinit const Kernels* const kAvx512Bf16Kernels = &kTable;

}  // namespace azr::loss

#else

namespace azr::loss {
constinit const Kernels* const kAvx512Bf16Kernels = nullptr;
}  // namespace azr::loss

#endif
