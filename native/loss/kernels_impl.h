// The inner loops once, as templates over an Arch. Included by one .cc per instruction set, after
// its target pragma and inside an anonymous namespace of its own, so that code for a newer CPU can
// never be the copy the linker keeps for an older one. Hence no include guard and no includes here.
//
// An Arch has: kLanes, kTileRows, kTilePitch, kPairs, Accumulate(), RoundPairs() if kPairs, and
// kTransposes with Transpose16().

// Vectors of the compiler, which may look at any memory.
template <int kLanes>
struct VectorOf {
  typedef float Float __attribute__((vector_size(kLanes * 4), may_alias));
  typedef float FloatUnaligned __attribute__((vector_size(kLanes * 4), may_alias, aligned(4)));
  typedef std::int32_t Int __attribute__((vector_size(kLanes * 4), may_alias));
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

// ------------------------------------------------------------------ products

// One register tile: kTileRows x 2 vectors of C over the whole of k.
template <class Arch, bool kPackedA>
AZR_INLINE void Tile(std::int64_t k_words, const Word* a, std::int64_t a_stride, const Word* b,
                     float* c, std::int64_t c_stride, bool accumulate) {
  constexpr int kRows = Arch::kTileRows;
  constexpr int kLanes = Arch::kLanes;
  Vec<Arch> sums[kRows][2] = {};
  for (std::int64_t k = 0; k < k_words; ++k) {
    const Vec<Arch> b0 = Load<Arch>(b);
    const Vec<Arch> b1 = Load<Arch>(b + kLanes);
    b += 2 * kLanes;
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) {
      const Word word = kPackedA ? a[k * Arch::kTilePitch + i] : a[i * a_stride + k];
      sums[i][0] = Arch::Accumulate(sums[i][0], word, b0);
      sums[i][1] = Arch::Accumulate(sums[i][1], word, b1);
    }
  }
  // C is added last, not summed onto: a sum of sums rounds less than one long sum.
#pragma GCC unroll 12
  for (int i = 0; i < kRows; ++i) {
    float* row = c + i * c_stride;
    Store<Arch>(row, accumulate ? Load<Arch>(row) + sums[i][0] : sums[i][0]);
    Store<Arch>(row + kLanes, accumulate ? Load<Arch>(row + kLanes) + sums[i][1] : sums[i][1]);
  }
}

// A tile of which C has only some rows and columns.
template <class Arch, bool kPackedA>
AZR_NOINLINE void EdgeTile(std::int64_t k_words, const Word* a, std::int64_t a_stride,
                           const Word* b, float* c, std::int64_t c_stride, bool accumulate,
                           std::int64_t rows, std::int64_t columns) {
  constexpr std::int64_t kStrip = 2 * Arch::kLanes;
  alignas(64) float tile[Arch::kTileRows * kStrip];
  Tile<Arch, kPackedA>(k_words, a, a_stride, b, tile, kStrip, false);
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      float& out = c[i * c_stride + j];
      out = accumulate ? out + tile[i * kStrip + j] : tile[i * kStrip + j];
    }
  }
}

template <class Arch, bool kPackedA>
void MultiplySlice(const Product& p, std::int64_t k0, std::int64_t k_words, bool accumulate) {
  constexpr std::int64_t kRows = Arch::kTileRows;
  constexpr std::int64_t kStrip = 2 * Arch::kLanes;
  const std::int64_t strips = (p.columns + kStrip - 1) / kStrip;
  for (std::int64_t s0 = 0; s0 < strips; s0 += p.strips_at_once) {
    const std::int64_t s1 = s0 + p.strips_at_once < strips ? s0 + p.strips_at_once : strips;
    for (std::int64_t m = 0; m < p.rows; m += kRows) {
      const Word* a = kPackedA ? p.a + (m / kRows * p.k_words + k0) * Arch::kTilePitch
                               : p.a + m * p.a_stride + k0;
      for (std::int64_t s = s0; s < s1; ++s) {
        const Word* b = p.b + (s * p.k_words + k0) * kStrip;
        float* c = p.c + m * p.c_stride + s * kStrip;
        const std::int64_t rows = p.rows - m;
        const std::int64_t columns = p.columns - s * kStrip;
        if (rows >= kRows && columns >= kStrip) {
          Tile<Arch, kPackedA>(k_words, a, p.a_stride, b, c, p.c_stride, accumulate);
        } else {
          EdgeTile<Arch, kPackedA>(k_words, a, p.a_stride, b, c, p.c_stride, accumulate,
                                   rows < kRows ? rows : kRows,
                                   columns < kStrip ? columns : kStrip);
        }
      }
    }
  }
}

template <class Arch>
void Multiply(const Product& p) {
  // Long sums in slices, whose part of B stays in cache while all rows of A pass.
  constexpr std::int64_t kSlice = 640;
  for (std::int64_t k0 = 0; k0 < p.k_words; k0 += kSlice) {
    const std::int64_t k_words = p.k_words - k0 < kSlice ? p.k_words - k0 : kSlice;
    const bool accumulate = p.accumulate || k0 > 0;
    if (p.a_stride == 0) {
      MultiplySlice<Arch, true>(p, k0, k_words, accumulate);
    } else {
      MultiplySlice<Arch, false>(p, k0, k_words, accumulate);
    }
  }
}

// ------------------------------------------------------------------ packing

AZR_INLINE float Widen(float value) { return value; }
AZR_INLINE float Widen(std::uint16_t value) { return AsFloat(static_cast<Word>(value) << 16U); }

AZR_INLINE Word Pair(std::uint16_t low, std::uint16_t high) {
  return static_cast<Word>(low) | (static_cast<Word>(high) << 16U);
}

// Word k of a row of `columns` values, zero beyond them.
template <class Arch, class S>
AZR_INLINE Word WordOf(const S* row, std::int64_t k, std::int64_t columns) {
  if constexpr (Arch::kPairs) {
    const std::int64_t j = 2 * k;
    return Pair(j < columns ? row[j] : S{0}, j + 1 < columns ? row[j + 1] : S{0});
  } else {
    return AsWord(k < columns ? Widen(row[k]) : 0.0F);
  }
}

template <class Arch, class S>
void PackRowsOf(const Matrix& m, std::int64_t k_words, Word* out) {
  const auto* rows = static_cast<const S*>(m.data);
  for (std::int64_t r = 0; r < m.rows; ++r) {
    for (std::int64_t k = 0; k < k_words; ++k) {
      out[r * k_words + k] = WordOf<Arch>(rows + r * m.columns, k, m.columns);
    }
  }
}

template <class Arch, class S>
void PackColumnsOf(const Matrix& m, std::int64_t first, std::int64_t k_words, Word* out) {
  constexpr std::int64_t kStrip = 2 * Arch::kLanes;
  constexpr std::int64_t kPerWord = Arch::kPairs ? 2 : 1;
  const std::int64_t whole_words = m.columns / kPerWord;
  for (std::int64_t s = 0; s < kPanel; s += kStrip) {
    Word* strip = out + s * k_words;
    std::int64_t k = 0;
    if constexpr (Arch::kTransposes) {
      if (first + s + kStrip <= m.rows) {
        const auto* rows = static_cast<const S*>(m.data) + (first + s) * m.columns;
        for (; k + 16 <= whole_words; k += 16) {
          Arch::Transpose16(rows + k * kPerWord, m.columns, strip + k * kStrip);
          Arch::Transpose16(rows + 16 * m.columns + k * kPerWord, m.columns,
                            strip + k * kStrip + 16);
        }
      }
    }
    for (; k < k_words; ++k) {
      for (std::int64_t j = 0; j < kStrip; ++j) {
        const std::int64_t row = first + s + j;
        const auto* data = static_cast<const S*>(m.data) + row * m.columns;
        strip[k * kStrip + j] = row < m.rows ? WordOf<Arch>(data, k, m.columns) : 0;
      }
    }
  }
}

// Words of up to kStrip columns from one row, or from two neighbours along k.
template <class Arch, class S>
AZR_INLINE void InterleaveStrip(const S* low, const S* high, std::int64_t columns, Word* out) {
  constexpr std::int64_t kStrip = 2 * Arch::kLanes;
  if (columns >= kStrip && low != nullptr && (high != nullptr || !Arch::kPairs)) {
    for (std::int64_t j = 0; j < kStrip; ++j) {
      if constexpr (Arch::kPairs) {
        out[j] = Pair(low[j], high[j]);
      } else {
        out[j] = AsWord(Widen(low[j]));
      }
    }
    return;
  }
  for (std::int64_t j = 0; j < kStrip; ++j) {
    const S l = low != nullptr && j < columns ? low[j] : S{0};
    if constexpr (Arch::kPairs) {
      out[j] = Pair(l, high != nullptr && j < columns ? high[j] : S{0});
    } else {
      out[j] = AsWord(Widen(l));
    }
  }
}

template <class Arch, class S>
void PackPanelRowsOf(const Matrix& m, std::int64_t first, std::int64_t columns, Word* out) {
  constexpr std::int64_t kStrip = 2 * Arch::kLanes;
  constexpr std::int64_t kPerWord = Arch::kPairs ? 2 : 1;
  constexpr std::int64_t kWords = kPanel / kPerWord;
  const auto row = [&](std::int64_t r) {
    return r < m.rows ? static_cast<const S*>(m.data) + r * m.columns : nullptr;
  };
  for (std::int64_t k = 0; k < kWords; ++k) {
    const S* low = row(first + k * kPerWord);
    const S* high = row(first + k * kPerWord + 1);
    for (std::int64_t c = 0; c < columns; c += kStrip) {
      InterleaveStrip<Arch, S>(low == nullptr ? nullptr : low + c,
                               high == nullptr ? nullptr : high + c, m.columns - c,
                               out + c * kWords + k * kStrip);
    }
  }
}

template <class Arch>
void PackRows(const Matrix& m, std::int64_t k_words, Word* out) {
  if (m.storage == Storage::kBfloat16) {
    PackRowsOf<Arch, std::uint16_t>(m, k_words, out);
  } else if constexpr (!Arch::kPairs) {
    PackRowsOf<Arch, float>(m, k_words, out);
  }
}

template <class Arch>
void PackColumns(const Matrix& m, std::int64_t first, std::int64_t k_words, Word* out) {
  if (m.storage == Storage::kBfloat16) {
    PackColumnsOf<Arch, std::uint16_t>(m, first, k_words, out);
  } else if constexpr (!Arch::kPairs) {
    PackColumnsOf<Arch, float>(m, first, k_words, out);
  }
}

template <class Arch>
void PackPanelRows(const Matrix& m, std::int64_t first, std::int64_t columns, Word* out) {
  if (m.storage == Storage::kBfloat16) {
    PackPanelRowsOf<Arch, std::uint16_t>(m, first, columns, out);
  } else if constexpr (!Arch::kPairs) {
    PackPanelRowsOf<Arch, float>(m, first, columns, out);
  }
}

template <class Arch>
void PackPickedRows(const Word* rows, std::int64_t k_words, const std::int32_t* picked,
                    std::int64_t num_picked, std::int64_t padded, std::int64_t first, Word* out) {
  using S = std::conditional_t<Arch::kPairs, std::uint16_t, float>;
  typedef S Aliasing __attribute__((may_alias));
  constexpr std::int64_t kStrip = 2 * Arch::kLanes;
  constexpr std::int64_t kPerWord = Arch::kPairs ? 2 : 1;
  const auto row = [&](std::int64_t i) -> const Aliasing* {
    if (i >= num_picked) {
      return nullptr;
    }
    return reinterpret_cast<const Aliasing*>(rows + picked[i] * k_words) + first;
  };
  for (std::int64_t k = 0; k < padded / kPerWord; ++k) {
    InterleaveStrip<Arch, Aliasing>(row(k * kPerWord), row(k * kPerWord + 1), kStrip,
                                    out + k * kStrip);
  }
}

// ------------------------------------------------------------------ sums over the vocabulary

// Turns a row of products into logits; columns from `valid` on become -inf and count for nothing.
template <class Arch>
AZR_NOINLINE void Transform(float* row, std::int64_t first, std::int64_t valid,
                            const LogitTransform& t) {
  const float inv_temperature = 1.0F / t.temperature;
  for (std::int64_t j = 0; t.bias != nullptr && j < valid; ++j) {
    row[j] += t.bias[first + j];
  }
  for (std::int64_t j = 0; j < kPanel; j += Arch::kLanes) {
    Vec<Arch> u = Load<Arch>(row + j) * t.scale;
    if (t.softcap > 0) {
      u = Tanh<Arch>(u / t.softcap) * t.softcap;
    }
    Store<Arch>(row + j, u * inv_temperature);
  }
  for (std::int64_t j = valid; j < kPanel; ++j) {
    row[j] = -std::numeric_limits<float>::infinity();
  }
}

template <class Arch>
AZR_INLINE void SumRow(const float* row, float* maximum, float* sum_exp, float* sum_exp_shifted) {
  using V = Vec<Arch>;
  constexpr int kLanes = Arch::kLanes;
  // From the lowest finite number, not -inf: -inf - -inf would be NaN, and not from 0, under which
  // very negative logits would all underflow.
  V best = std::numeric_limits<float>::lowest() - V{};
  for (std::int64_t j = 0; j < kPanel; j += kLanes) {
    const V u = Load<Arch>(row + j);
    best = u > best ? u : best;
  }
  const float m = MaximumOf<Arch>(best);
  V s0{}, s1{}, x0{}, x1{};
  for (std::int64_t j = 0; j < kPanel; j += 2 * kLanes) {
    const V d0 = AtLeast(Load<Arch>(row + j) - m, -87.0F);
    const V d1 = AtLeast(Load<Arch>(row + j + kLanes) - m, -87.0F);
    const V e0 = ExpOfClamped<Arch>(d0);
    const V e1 = ExpOfClamped<Arch>(d1);
    s0 = s0 + e0;
    s1 = s1 + e1;
    x0 = x0 + e0 * d0;
    x1 = x1 + e1 * d1;
  }
  *maximum = m;
  *sum_exp = SumOf<Arch>(s0 + s1);
  *sum_exp_shifted = SumOf<Arch>(x0 + x1);
}

template <class Arch>
void SumPanel(float* logits, std::int64_t rows, std::int64_t first, std::int64_t valid,
              const LogitTransform& transform, const std::int64_t* targets, const Sums& sums,
              float* target_logit) {
  const bool identity = transform.is_identity() && valid == kPanel;
  for (std::int64_t r = 0; r < rows; ++r) {
    float* row = logits + r * kPanel;
    if (!identity) {
      Transform<Arch>(row, first, valid, transform);
    }
    SumRow<Arch>(row, sums.maximum + r, sums.sum_exp + r, sums.sum_exp_shifted + r);
    const std::int64_t column = targets[r] - first;
    if (column >= 0 && column < valid) {
      target_logit[r] = row[column];
    }
  }
}

template <class Arch>
void Merge(const Sums& parts, std::int64_t panels, std::int64_t pitch, std::int64_t rows,
           const Sums& out) {
  using V = Vec<Arch>;
  for (std::int64_t r = 0; r < rows; r += Arch::kLanes) {
    V best = Load<Arch>(parts.maximum + r);
    for (std::int64_t p = 1; p < panels; ++p) {
      const V m = Load<Arch>(parts.maximum + p * pitch + r);
      best = m > best ? m : best;
    }
    V sum{}, shifted{};
    for (std::int64_t p = 0; p < panels; ++p) {
      const V d = AtLeast(Load<Arch>(parts.maximum + p * pitch + r) - best, -87.0F);
      const V scale = ExpOfClamped<Arch>(d);
      const V s = Load<Arch>(parts.sum_exp + p * pitch + r);
      sum = sum + scale * s;
      shifted = shifted + scale * (Load<Arch>(parts.sum_exp_shifted + p * pitch + r) + s * d);
    }
    Store<Arch>(out.maximum + r, best);
    Store<Arch>(out.sum_exp + r, sum);
    Store<Arch>(out.sum_exp_shifted + r, shifted);
  }
}

// ------------------------------------------------------------------ gradient of the logits

template <class Arch, bool kSlope>
AZR_INLINE void DifferentiateRow(const float* logits, const RowTerms& t, std::int64_t first,
                                 float cap, float* out) {
  using V = Vec<Arch>;
  const float level = t.level * t.inv_sum;
  const float slope = t.slope * t.inv_sum;
  for (std::int64_t j = 0; j < kPanel; j += Arch::kLanes) {
    const V d = AtLeast(Load<Arch>(logits + j) - t.maximum, -87.0F);
    const V e = ExpOfClamped<Arch>(d);
    Store<Arch>(out + j, kSlope ? e * (slope * (d - t.log_sum) + level) : e * level);
  }
  const std::int64_t column = t.target - first;
  if (column >= 0 && column < kPanel) {
    out[column] += t.at_target;
  }
  if (cap > 0) {
    for (std::int64_t j = 0; j < kPanel; j += Arch::kLanes) {
      const V tanh = Load<Arch>(logits + j) * cap;
      // -inf in columns that do not count: tanh^2 is inf there, and 0 * inf would be NaN.
      const V chain = AtLeast(1.0F - tanh * tanh, 0.0F);
      Store<Arch>(out + j, Load<Arch>(out + j) * chain);
    }
  }
}

// One row, or zeros if there is none.
template <class Arch>
AZR_NOINLINE void DifferentiateOne(const float* logits, const RowTerms* t, std::int64_t first,
                                   float cap, float* column_sums, float* out) {
  if (t == nullptr) {
    std::memset(out, 0, sizeof(float) * kPanel);
    return;
  }
  if (t->slope == 0.0F) {
    DifferentiateRow<Arch, false>(logits, *t, first, cap, out);
  } else {
    DifferentiateRow<Arch, true>(logits, *t, first, cap, out);
  }
  for (std::int64_t j = 0; column_sums != nullptr && j < kPanel; ++j) {
    column_sums[j] += out[j];
  }
}

template <class Arch>
void Differentiate(const float* logits, std::int64_t first, const std::int32_t* picked,
                   std::int64_t num_picked, std::int64_t padded, const RowTerms* terms, float cap,
                   Word* rows, Word* transposed, float* column_sums) {
  constexpr std::int64_t kPerWord = Arch::kPairs ? 2 : 1;
  constexpr std::int64_t kRows = Arch::kTileRows;
  constexpr std::int64_t kWords = kPanel / kPerWord;
  // A vector is read from each group of kRows words, so the last group needs room behind it.
  alignas(64) float values[2][kPanel];
  alignas(64) Word mixed[kPanel + 16];
  const std::int64_t k_words = padded / kPerWord;
  for (std::int64_t k = 0; k < k_words; ++k) {
    for (std::int64_t i = 0; i < kPerWord; ++i) {
      const std::int64_t r = k * kPerWord + i;
      const bool real = r < num_picked;
      DifferentiateOne<Arch>(real ? logits + picked[r] * kPanel : nullptr,
                             real ? terms + r : nullptr, first, cap, column_sums, values[i]);
      if constexpr (Arch::kPairs) {
        Arch::RoundPairs(values[i], rows + r * kWords);
      } else {
        std::memcpy(rows + r * kWords, values[i], sizeof(values[i]));
      }
    }
    if (transposed == nullptr) {
      continue;
    }
    if constexpr (Arch::kPairs) {
      typedef std::uint16_t Half __attribute__((may_alias));
      const auto* low = reinterpret_cast<const Half*>(rows + 2 * k * kWords);
      for (std::int64_t j = 0; j < kPanel; ++j) {
        mixed[j] = Pair(low[j], low[kPanel + j]);
      }
    } else {
      std::memcpy(mixed, values[0], sizeof(values[0]));
    }
    for (std::int64_t g = 0; g < kPanel / kRows; ++g) {
      std::memcpy(transposed + (g * k_words + k) * Arch::kTilePitch, mixed + g * kRows,
                  sizeof(Word) * Arch::kTilePitch);
    }
  }
}

template <class Arch>
constexpr Kernels TableOf(const char* name) {
  return {
      .name = name,
      .pairs = Arch::kPairs,
      .tile_rows = Arch::kTileRows,
      .tile_pitch = Arch::kTilePitch,
      .strip = 2 * Arch::kLanes,
      .multiply = &Multiply<Arch>,
      .pack_rows = &PackRows<Arch>,
      .pack_columns = &PackColumns<Arch>,
      .pack_panel_rows = &PackPanelRows<Arch>,
      .pack_picked_rows = &PackPickedRows<Arch>,
      .sum_panel = &SumPanel<Arch>,
      .merge = &Merge<Arch>,
      .differentiate = &Differentiate<Arch>,
  };
}
