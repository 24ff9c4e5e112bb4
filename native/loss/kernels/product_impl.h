// The register tile, the sweep of it over a product, and packing of its operands.
// Part of kernels_impl.h, which says how it is included.

// Where a tile of C begins.
struct Corner {
  float* c;
  std::uint16_t* rounded;  // nullptr: C is written itself
  std::int64_t stride;
  bool accumulate;
};

// One register tile: kTileRows x 2 vectors of C over the whole of k.
template <class Arch, bool kPackedA>
AZR_INLINE void Tile(std::int64_t k_words, const Word* a, std::int64_t a_stride, const Word* b,
                     const Corner& to) {
  constexpr int kRows = Arch::kTileRows;
  constexpr int kLanes = Arch::kLanes;
  if (to.accumulate) {
    // Rows of C are far apart, which no hardware foresees: called for now, they are here by the
    // end.
#pragma GCC unroll 12
    for (int i = 0; i < kRows; ++i) {
      __builtin_prefetch(to.c + i * to.stride, 1);
      __builtin_prefetch(to.c + i * to.stride + 2 * kLanes - 1, 1);
    }
  }
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
#pragma GCC unroll 12
  for (int i = 0; i < kRows; ++i) {
    const std::int64_t row = i * to.stride;
    if (to.accumulate) {
      // C is added last, not summed onto: a sum of sums rounds less than one long sum.
      sums[i][0] = Load<Arch>(to.c + row) + sums[i][0];
      sums[i][1] = Load<Arch>(to.c + row + kLanes) + sums[i][1];
    }
    if (to.rounded != nullptr) {
      StoreRounded<Arch>(to.rounded + row, sums[i][0]);
      StoreRounded<Arch>(to.rounded + row + kLanes, sums[i][1]);
    } else {
      Store<Arch>(to.c + row, sums[i][0]);
      Store<Arch>(to.c + row + kLanes, sums[i][1]);
    }
  }
}

AZR_INLINE std::uint16_t RoundedOne(float value) {
  const Word bits = AsWord(value);
  return static_cast<std::uint16_t>(
      (value == value ? bits + 0x7fffU + ((bits >> 16U) & 1U) : bits | 0x400000U) >> 16U);
}

// A tile of which C has only some rows and columns.
template <class Arch, bool kPackedA>
AZR_NOINLINE void EdgeTile(std::int64_t k_words, const Word* a, std::int64_t a_stride,
                           const Word* b, const Corner& to, std::int64_t rows,
                           std::int64_t columns) {
  constexpr std::int64_t kStrip = 2 * Arch::kLanes;
  alignas(64) float tile[Arch::kTileRows * kStrip];
  Tile<Arch, kPackedA>(k_words, a, a_stride, b, {tile, nullptr, kStrip, false});
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t j = 0; j < columns; ++j) {
      const std::int64_t place = i * to.stride + j;
      const float own = tile[i * kStrip + j];
      const float sum = to.accumulate ? to.c[place] + own : own;
      if (to.rounded != nullptr) {
        to.rounded[place] = RoundedOne(sum);
      } else {
        to.c[place] = sum;
      }
    }
  }
}

template <class Arch, bool kPackedA>
void MultiplySlice(const Product& p, std::int64_t k0, std::int64_t k_words) {
  constexpr std::int64_t kRows = Arch::kTileRows;
  constexpr std::int64_t kStrip = 2 * Arch::kLanes;
  const std::int64_t strips = (p.columns + kStrip - 1) / kStrip;
  const bool is_last = k0 + k_words == p.k_words;
  for (std::int64_t s0 = 0; s0 < strips; s0 += p.strips_at_once) {
    const std::int64_t s1 = s0 + p.strips_at_once < strips ? s0 + p.strips_at_once : strips;
    for (std::int64_t m = 0; m < p.rows; m += kRows) {
      const Word* a = kPackedA ? p.a + (m / kRows * p.k_words + k0) * Arch::kTilePitch
                               : p.a + m * p.a_stride + k0;
      for (std::int64_t s = s0; s < s1; ++s) {
        const Word* b = p.b + (s * p.k_words + k0) * kStrip;
        const std::int64_t offset = m * p.c_stride + s * kStrip;
        const Corner to{.c = p.c == nullptr ? nullptr : p.c + offset,
                        .rounded = is_last && p.rounded != nullptr ? p.rounded + offset : nullptr,
                        .stride = p.c_stride,
                        .accumulate = p.accumulate || k0 > 0};
        const std::int64_t rows = p.rows - m;
        const std::int64_t columns = p.columns - s * kStrip;
        if (rows >= kRows && columns >= kStrip) {
          Tile<Arch, kPackedA>(k_words, a, p.a_stride, b, to);
        } else {
          EdgeTile<Arch, kPackedA>(k_words, a, p.a_stride, b, to, rows < kRows ? rows : kRows,
                                   columns < kStrip ? columns : kStrip);
        }
      }
    }
  }
}

template <class Arch>
void Multiply(const Product& p) {
  // Long sums in slices, whose part of B stays in cache while all rows of A pass.
  for (std::int64_t k0 = 0; k0 < p.k_words; k0 += kSliceWords) {
    const std::int64_t k_words = p.k_words - k0 < kSliceWords ? p.k_words - k0 : kSliceWords;
    if (p.a_stride == 0) {
      MultiplySlice<Arch, true>(p, k0, k_words);
    } else {
      MultiplySlice<Arch, false>(p, k0, k_words);
    }
  }
}

template <class Arch>
void Round(const float* values, std::int64_t count, std::uint16_t* out) {
  std::int64_t i = 0;
  for (; i + Arch::kLanes <= count; i += Arch::kLanes) {
    StoreRounded<Arch>(out + i, Load<Arch>(values + i));
  }
  for (; i < count; ++i) {
    out[i] = RoundedOne(values[i]);
  }
}

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
