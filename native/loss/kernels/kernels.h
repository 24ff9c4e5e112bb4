// The inner loops, one table of them for each instruction set.
//
// The vocabulary is worked through in panels of kPanel columns, small enough that a panel of the
// weight and a panel of logits stay in a core's second-level cache. Three matrix products per
// panel, all of one shape: C[m][n] (+)= sum_k A[m][k] B[k][n].
//
//            A                    B                      C
//   logits   hidden, rows         weight, by columns     logits of the panel
//   dH       dlogits, rows        weight, by rows        gradient of hidden, one per thread
//   dW       dlogits, transposed  hidden, by rows        gradient of weight
//
// Operands are in words of 32 bits: one float, or two bfloat16 that are neighbours along k, which
// is what the bfloat16 dot product takes. B is packed in strips of `strip` columns,
// [strip][k][column], so that the inner loop reads it in order; A is read word by word and
// broadcast.
//
// Thread-safe: no function here has state. None throws.
#ifndef AZR_NATIVE_LOSS_KERNELS_KERNELS_H_
#define AZR_NATIVE_LOSS_KERNELS_KERNELS_H_

#include <cstdint>

namespace azr::loss {

// Columns of the vocabulary in a panel. Fixed: the order in which a token's sums are added depends
// on nothing else, so a log-probability is bitwise the same whatever else is in the batch.
inline constexpr std::int64_t kPanel = 192;
// Rows are padded to a multiple of this, with zeros: it is a multiple of every table's tile_rows.
inline constexpr std::int64_t kRowMultiple = 12;
// Features are padded to a multiple of this, with zeros: a multiple of every table's strip.
inline constexpr std::int64_t kFeatureMultiple = 32;
// Per-row sums are padded to a multiple of this: a multiple of every table's vector length.
inline constexpr std::int64_t kLaneMultiple = 16;

// Longest sum, in words, of which a product needs no intermediate C: see Product::c.
inline constexpr std::int64_t kSliceWords = 640;

using Word = std::uint32_t;

enum class Storage : std::uint8_t { kFloat32, kBfloat16 };

// A row-major matrix without gaps, not owned.
struct Matrix {
  const void* data;
  Storage storage;
  std::int64_t rows;
  std::int64_t columns;
};

// From a product h.w to a logit: u = softcap * tanh(scale * (h.w + bias) / softcap) / temperature.
struct LogitTransform {
  float scale;
  float temperature;
  float softcap;      // 0: none
  const float* bias;  // [V], nullptr: none

  [[nodiscard]] bool is_identity() const {
    return scale == 1.0F && temperature == 1.0F && softcap == 0.0F && bias == nullptr;
  }
};

// Sums over some columns, [rows] each: m = max u, s = sum e^(u-m), x = sum e^(u-m) (u-m).
struct Sums {
  float* maximum;
  float* sum_exp;
  float* sum_exp_shifted;
};

// What a row sends back: dL/du_v = p_v (level + slope log p_v) + (v == target) at_target, times the
// derivative of the logit; p_v = e^(u - maximum) inv_sum. That is
//
//   a (1[v == target] - p_v) - b p_v (log p_v + H),  with level = -(a + b H), slope = -b,
//   at_target = a, and H the entropy.
struct RowTerms {
  float maximum;
  float log_sum;
  float inv_sum;
  float level;
  float slope;
  float at_target;
  std::int64_t target;  // a column of the vocabulary, or none of it
};

struct Product {
  std::int64_t rows;     // of C to write; A has rows up to the next multiple of tile_rows
  std::int64_t columns;  // of C to write; B has whole strips
  std::int64_t k_words;
  const Word* a;
  std::int64_t a_stride;  // words between rows; 0: A is `transposed` as differentiate made it
  const Word* b;
  float* c;  // nullptr if `rounded` is given, nothing is accumulated and k_words <= kSliceWords
  std::int64_t c_stride;
  std::int64_t strips_at_once;  // strips of B that share a sweep over A: what stays in cache
  bool accumulate;              // C += A B; otherwise C = A B
  std::uint16_t* rounded;       // if given, takes the result as bfloat16, and C is scratch
};

struct Kernels {
  const char* name;
  bool pairs;               // words hold two bfloat16; otherwise one float
  std::int64_t tile_rows;   // of the product's register tile
  std::int64_t tile_pitch;  // words from one k to the next in a transposed A
  std::int64_t strip;       // columns of the register tile

  void (*multiply)(const Product& product);

  // A: rows [rows][k_words], zero beyond the matrix's columns. `source` has exactly `rows` rows.
  void (*pack_rows)(const Matrix& source, std::int64_t k_words, Word* out);
  // B of the logits: rows [first, first + kPanel) of the weight become columns; zero beyond V.
  void (*pack_columns)(const Matrix& weight, std::int64_t first, std::int64_t k_words, Word* out);
  // B of dH: the same rows as rows, kPanel along k; `columns` is padded.
  void (*pack_panel_rows)(const Matrix& weight, std::int64_t first, std::int64_t columns,
                          Word* out);
  // B of dW, one strip of it: rows `picked` of what pack_rows made, zero beyond `num_picked` up to
  // `padded`, columns [first, first + strip).
  void (*pack_picked_rows)(const Word* rows, std::int64_t k_words, const std::int32_t* picked,
                           std::int64_t num_picked, std::int64_t padded, std::int64_t first,
                           Word* out);

  // Turns products [rows][kPanel] into logits in place, and sums their columns < valid.
  // target_logit[r] is written if targets[r] is in [first, first + valid).
  void (*sum_panel)(float* logits, std::int64_t rows, std::int64_t first, std::int64_t valid,
                    const LogitTransform& transform, const std::int64_t* targets, const Sums& sums,
                    float* target_logit);
  // Rounds to bfloat16: to the nearest, ties to even; NaN stays NaN.
  void (*round)(const float* values, std::int64_t count, std::uint16_t* out);
  // Merges the sums of `panels` panels, `pitch` floats apart, in the order of the panels.
  void (*merge)(const Sums& parts, std::int64_t panels, std::int64_t pitch, std::int64_t rows,
                const Sums& out);
  // dL/du of the picked rows of a panel of logits, twice: `rows`, as A of dH, is [padded] rows of
  // kPanel values; `transposed`, as A of dW, is [kPanel / tile_rows][words along rows][tile_pitch],
  // so that a tile reads its words in order (nullptr: not wanted). column_sums [kPanel] are added
  // to (nullptr: not wanted).
  void (*differentiate)(const float* logits, std::int64_t first, const std::int32_t* picked,
                        std::int64_t num_picked, std::int64_t padded, const RowTerms* terms,
                        float temperature_over_softcap, Word* rows, Word* transposed,
                        float* column_sums);
};

// Each is nullptr where the compiler could not build it. Not a promise that the CPU can run it.
extern const Kernels* const kPortableKernels;
extern const Kernels* const kAvx2Kernels;
extern const Kernels* const kAvx512Kernels;
extern const Kernels* const kAvx512Bf16Kernels;

}  // namespace azr::loss

#endif  // AZR_NATIVE_LOSS_KERNELS_KERNELS_H_
