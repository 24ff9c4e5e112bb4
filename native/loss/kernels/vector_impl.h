// Short vectors of floats, and e^x and tanh of them.
// Part of kernels_impl.h, which says how it is included.

// Vectors of the compiler, which may look at any memory.
template <int kLanes>
struct VectorOf {
  typedef float Float __attribute__((vector_size(kLanes * 4), may_alias));
  typedef float FloatUnaligned __attribute__((vector_size(kLanes * 4), may_alias, aligned(4)));
  typedef std::int32_t Int __attribute__((vector_size(kLanes * 4), may_alias));
  typedef std::uint32_t Bits __attribute__((vector_size(kLanes * 4), may_alias));
  typedef std::uint16_t HalvesUnaligned
      __attribute__((vector_size(kLanes * 2), may_alias, aligned(2)));
};

template <class Arch>
using Vec = typename VectorOf<Arch::kLanes>::Float;

template <class Arch>
AZR_INLINE Vec<Arch> Load(const void* data) {
  return *static_cast<const typename VectorOf<Arch::kLanes>::FloatUnaligned*>(data);
}

template <class Arch>
AZR_INLINE void Store(void* data, Vec<Arch> value) {
  *static_cast<typename VectorOf<Arch::kLanes>::FloatUnaligned*>(data) = value;
}

// To the nearest bfloat16, ties to even; NaN stays NaN.
template <class Arch>
AZR_INLINE void StoreRounded(std::uint16_t* data, Vec<Arch> value) {
  typedef typename VectorOf<Arch::kLanes>::Bits Bits;
  typedef typename VectorOf<Arch::kLanes>::HalvesUnaligned Halves;
  const Bits bits = __builtin_bit_cast(Bits, value);
  const Bits nearest = (bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16;
  const Bits rounded = value == value ? nearest : (bits >> 16) | 0x40U;
  *reinterpret_cast<Halves*>(data) = __builtin_convertvector(rounded, Halves);
}

AZR_INLINE float AsFloat(Word word) { return std::bit_cast<float>(word); }
AZR_INLINE Word AsWord(float value) { return std::bit_cast<Word>(value); }

// Comparisons are false for NaN: written so that a NaN in `value` stays.
template <class V>
AZR_INLINE V AtLeast(V value, float low) {
  const V bound = low - V{};
  return value < bound ? bound : value;
}

// e^x for x <= 0 within 1 ulp or so; e^-87 = 1.6e-38 below -87, which vanishes beside the largest
// term of a sum, 1. NaN stays NaN.
template <class Arch>
AZR_INLINE Vec<Arch> ExpOfClamped(Vec<Arch> x) {
  using V = Vec<Arch>;
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it leaves the integer in the low bits
  const V shifted = x * 1.44269504088896341F + kRound;
  const V n = shifted - kRound;
  V r = x - n * 0.693145751953125F;  // ln 2 in two parts, the first exact in a product with n
  r = r - n * 1.428606765330187e-06F;
  V p = r * 1.9875691500e-4F + 1.3981999507e-3F;
  p = p * r + 8.3334519073e-3F;
  p = p * r + 4.1665795894e-2F;
  p = p * r + 1.6666665459e-1F;
  p = p * r + 5.0000001201e-1F;
  p = p * (r * r) + (r + 1.0F);
  typedef typename VectorOf<Arch::kLanes>::Int Int;
  const Int exponent = (__builtin_bit_cast(Int, shifted) + 127) << 23;
  return p * __builtin_bit_cast(V, exponent);
}

// tanh within 2e-7 of its value: a polynomial where 1 - 2 / (e^2x + 1) would cancel.
template <class Arch>
AZR_INLINE Vec<Arch> Tanh(Vec<Arch> x) {
  using V = Vec<Arch>;
  const V magnitude = x < 0.0F ? -x : x;
  const V e = ExpOfClamped<Arch>(AtLeast(magnitude * -2.0F, -87.0F));
  const V far = (1.0F - e) / (1.0F + e);
  const V square = x * x;
  V p = square * -5.70498872745e-3F + 2.06390887954e-2F;
  p = p * square - 5.37397155531e-2F;
  p = p * square + 1.33314422036e-1F;
  p = p * square - 3.33332819422e-1F;
  const V near = x + x * square * p;
  const V signed_far = x < 0.0F ? -far : far;
  return magnitude < 0.625F ? near : signed_far;
}

template <class Arch>
AZR_INLINE float MaximumOf(Vec<Arch> v) {
  float best = v[0];
  for (int i = 1; i < Arch::kLanes; ++i) {
    best = v[i] > best ? v[i] : best;
  }
  return best;
}

template <class Arch>
AZR_INLINE float SumOf(Vec<Arch> v) {
  // Halving, in the shape the compiler turns into shuffles.
  alignas(64) float lanes[Arch::kLanes];
  Store<Arch>(lanes, v);
  for (int half = Arch::kLanes / 2; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) {
      lanes[i] += lanes[i + half];
    }
  }
  return lanes[0];
}
