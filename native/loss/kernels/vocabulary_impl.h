// What happens to logits between the products: sums over the vocabulary, and their gradient.
// Part of kernels_impl.h, which says how it is included.

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
