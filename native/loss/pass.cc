#include "loss/pass.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "loss/dispatch.h"
#include "loss/kernels/kernels.h"
#include "loss/scratch.h"

namespace azr::loss {
namespace {

constexpr std::int64_t RoundUp(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Strips of B that stay in the second-level cache (1 MiB on the machines this was measured on)
// beside a panel of A and one of C.
std::int64_t StripsAtOnce(std::int64_t strip_words) {
  constexpr std::int64_t kCacheWords = 96 * 1024;
  return std::max<std::int64_t>(1, kCacheWords / strip_words);
}

}  // namespace

Pass::Pass(const Matrix& weight, const LogitTransform& transform, Storage hidden,
           std::string_view isa, int num_threads)
    : weight_(weight),
      transform_(transform),
      kernels_(KernelsFor(isa, hidden, weight.storage)),
      num_threads_(num_threads),
      features_(RoundUp(weight.columns, kFeatureMultiple)),
      words_(features_ / per_word()),
      panels_((weight.rows + kPanel - 1) / kPanel) {
  if (weight.rows < 1 || weight.columns < 1) {
    throw std::invalid_argument("weight must not be empty, got " + std::to_string(weight.rows) +
                                " x " + std::to_string(weight.columns));
  }
  if (num_threads < 1) {
    throw std::invalid_argument("num_threads must be at least 1, got " +
                                std::to_string(num_threads));
  }
}

// What each thread writes to: made before a parallel region, which no exception may leave.
struct Pass::BackwardScratch {
  BackwardScratch(const Pass& pass, std::int64_t padded, bool wants_hidden)
      : weight_words(kPanel * pass.words_),
        rows_words(padded * kPanel / pass.per_word()),
        transposed_words(rows_words / pass.kernels_.tile_rows * pass.kernels_.tile_pitch),
        hidden_floats(wants_hidden ? padded * pass.features_ : 0),
        weight(pass.num_threads_ * weight_words),
        rows(pass.num_threads_ * rows_words),
        transposed(pass.num_threads_ * transposed_words),
        hidden(pass.num_threads_ * hidden_floats) {
    // Threads without a panel are summed too.
    std::fill_n(hidden.data(), pass.num_threads_ * hidden_floats, 0.0F);
  }

  [[nodiscard]] ThreadScratch of(std::int64_t thread) const {
    return {.weight = weight.data() + thread * weight_words,
            .rows = rows.data() + thread * rows_words,
            .transposed = transposed.data() + thread * transposed_words,
            .hidden = hidden.data() + thread * hidden_floats};
  }

  std::int64_t weight_words;
  std::int64_t rows_words;
  std::int64_t transposed_words;
  std::int64_t hidden_floats;
  Scratch<Word> weight;
  Scratch<Word> rows;
  Scratch<Word> transposed;
  Scratch<float> hidden;
};

void Pass::Forward(const Matrix& hidden, std::span<const std::int64_t> targets, bool keep,
                   const Statistics& out) {
  rows_ = hidden.rows;
  kept_ = keep;
  const std::int64_t padded = RoundUp(rows_, kRowMultiple);
  const std::int64_t pitch = RoundUp(rows_, kLaneMultiple);
  if (padded > capacity_) {
    hidden_ = Scratch<Word>(padded * words_);
    parts_ = Scratch<float>(3 * (panels_ + 1) * RoundUp(padded, kLaneMultiple));
    capacity_ = padded;
  }
  if (keep && padded > logits_capacity_) {
    logits_ = Scratch<float>();  // the old one first: both would be the peak
    logits_ = Scratch<float>(panels_ * padded * kPanel);
    logits_capacity_ = padded;
  }
  kernels_.pack_rows(hidden, words_, hidden_.data());
  std::fill(hidden_.data() + rows_ * words_, hidden_.data() + padded * words_, Word{0});
  std::fill(out.target_logit, out.target_logit + rows_, 0.0F);
  // Lanes beyond the rows are merged with the rest and thrown away.
  std::fill(parts_.data(), parts_.data() + 3 * (panels_ + 1) * pitch, 0.0F);
  // Every thread's scratch is made here: an exception must not leave a parallel region.
  const Scratch<Word> packed(num_threads_ * kPanel * words_);
  const Scratch<float> passing(keep ? 0 : num_threads_ * padded * kPanel);
#pragma omp parallel for schedule(static) num_threads(num_threads_)
  for (std::int64_t p = 0; p < panels_; ++p) {
    const std::int64_t thread = omp_get_thread_num();
    float* logits =
        keep ? logits_.data() + p * padded * kPanel : passing.data() + thread * padded * kPanel;
    ForwardPanel(p, targets, packed.data() + thread * kPanel * words_, logits, out.target_logit);
  }
  float* sums = parts_.data();
  const std::int64_t plane = panels_ * pitch;
  float* merged = sums + 3 * plane;
  kernels_.merge({sums, sums + plane, sums + 2 * plane}, panels_, pitch, pitch,
                 {merged, merged + pitch, merged + 2 * pitch});
  std::copy_n(merged, rows_, out.sums.maximum);
  std::copy_n(merged + pitch, rows_, out.sums.sum_exp);
  std::copy_n(merged + 2 * pitch, rows_, out.sums.sum_exp_shifted);
}

void Pass::ForwardPanel(std::int64_t panel, std::span<const std::int64_t> targets, Word* packed,
                        float* logits, float* target_logit) {
  const std::int64_t first = panel * kPanel;
  const std::int64_t pitch = RoundUp(rows_, kLaneMultiple);
  kernels_.pack_columns(weight_, first, words_, packed);
  kernels_.multiply({.rows = RoundUp(rows_, kRowMultiple),
                     .columns = kPanel,
                     .k_words = words_,
                     .a = hidden_.data(),
                     .a_stride = words_,
                     .b = packed,
                     .c = logits,
                     .c_stride = kPanel,
                     .strips_at_once = kPanel / kernels_.strip,
                     .accumulate = false,
                     .rounded = nullptr});
  float* part = parts_.data() + panel * pitch;
  const std::int64_t plane = panels_ * pitch;
  kernels_.sum_panel(logits, rows_, first, std::min(kPanel, weight_.rows - first), transform_,
                     targets.data(), {part, part + plane, part + 2 * plane}, target_logit);
}

void Pass::Backward(std::span<const std::int64_t> targets, const Derivatives& derivatives,
                    const Gradients& out) {
  if (!kept_) {
    throw std::logic_error("Backward needs a Forward that kept its logits");
  }
  kept_ = false;
  PickRows(targets, derivatives);
  if (out.hidden != nullptr) {
    std::fill(out.hidden, out.hidden + rows_ * weight_.columns, 0.0F);
  }
  if (picked_.empty()) {
    FinishWithoutTokens(out);
    return;
  }
  const std::int64_t padded = picked_padded();
  if (out.weight != nullptr) {
    PackPicked();
    PrepareWeightGradient(out);
  }
  const BackwardScratch scratch(*this, padded, out.hidden != nullptr);
  // Static: which thread adds which panels to its part of dH must not depend on timing.
#pragma omp parallel for schedule(static) num_threads(num_threads_)
  for (std::int64_t p = 0; p < panels_; ++p) {
    BackwardPanel(p, out, scratch.of(omp_get_thread_num()));
  }
  if (out.hidden != nullptr) {
    SumHidden(scratch.hidden.data(), out.hidden);
  }
  has_gradient_ = true;
}

void Pass::PrepareWeightGradient(const Gradients& out) {
  const std::int64_t count = weight_.rows * weight_.columns;
  const bool rounds = weight_.storage == Storage::kBfloat16;
  if (!has_gradient_ && (out.is_last || !rounds)) {
    AdviseHugePages(out.weight, static_cast<std::size_t>(count) * (rounds ? 2 : sizeof(float)));
  }
  const bool is_one_sum =
      out.is_last && !has_gradient_ && picked_padded() / per_word() <= kSliceWords;
  if (rounds && !is_one_sum && weight_sum_.data() == nullptr) {
    weight_sum_ = Scratch<float>(count);
  }
}

// Of the last chunk, if none of its tokens has a gradient: what the chunks before have summed.
void Pass::FinishWithoutTokens(const Gradients& out) const {
  if (!out.is_last) {
    return;
  }
  const bool rounds = weight_.storage == Storage::kBfloat16;
  const std::int64_t columns = weight_.columns;
#pragma omp parallel for schedule(static) num_threads(num_threads_)
  for (std::int64_t v = 0; v < (out.weight == nullptr ? 0 : weight_.rows); ++v) {
    if (!has_gradient_) {
      std::memset(static_cast<std::byte*>(out.weight) + v * columns * (rounds ? 2 : 4), 0,
                  static_cast<std::size_t>(columns) * (rounds ? 2 : 4));
    } else if (rounds) {
      kernels_.round(weight_sum_.data() + v * columns, columns,
                     static_cast<std::uint16_t*>(out.weight) + v * columns);
    }
  }
  if (out.bias != nullptr && !has_gradient_) {
    std::fill_n(out.bias, weight_.rows, 0.0F);
  }
}

void Pass::PickRows(std::span<const std::int64_t> targets, const Derivatives& derivatives) {
  const float chain = transform_.scale / transform_.temperature;
  picked_.clear();
  terms_.clear();
  for (std::int64_t r = 0; r < rows_; ++r) {
    const float a = derivatives.a[r];
    const float b = derivatives.b == nullptr ? 0.0F : derivatives.b[r];
    if (a == 0.0F && b == 0.0F) {
      continue;
    }
    picked_.push_back(static_cast<std::int32_t>(r));
    terms_.push_back({.maximum = derivatives.maximum[r],
                      .log_sum = std::log(derivatives.sum_exp[r]),
                      .inv_sum = 1.0F / derivatives.sum_exp[r],
                      .level = -(a + b * derivatives.entropy[r]) * chain,
                      .slope = -b * chain,
                      .at_target = a * chain,
                      .target = targets[static_cast<std::size_t>(r)]});
  }
}

void Pass::PackPicked() {
  const std::int64_t padded = picked_padded();
  const std::int64_t k_words = padded / per_word();
  hidden_strips_ = Scratch<Word>(k_words * features_);
#pragma omp parallel for schedule(static) num_threads(num_threads_)
  for (std::int64_t c = 0; c < features_; c += kernels_.strip) {
    kernels_.pack_picked_rows(hidden_.data(), words_, picked_.data(),
                              static_cast<std::int64_t>(picked_.size()), padded, c,
                              hidden_strips_.data() + c * k_words);
  }
}

void Pass::BackwardPanel(std::int64_t panel, const Gradients& out, const ThreadScratch& scratch) {
  const std::int64_t first = panel * kPanel;
  const std::int64_t padded = picked_padded();
  const std::int64_t logits_rows = RoundUp(rows_, kRowMultiple);
  const std::int64_t panel_words = kPanel / per_word();
  float column_sums[kPanel] = {};
  kernels_.differentiate(
      logits_.data() + panel * logits_rows * kPanel, first, picked_.data(),
      static_cast<std::int64_t>(picked_.size()), padded, terms_.data(),
      transform_.softcap > 0 ? transform_.temperature / transform_.softcap : 0.0F, scratch.rows,
      out.weight != nullptr ? scratch.transposed : nullptr,
      out.bias != nullptr ? column_sums : nullptr);
  if (out.hidden != nullptr) {
    kernels_.pack_panel_rows(weight_, first, features_, scratch.weight);
    kernels_.multiply({.rows = padded,
                       .columns = features_,
                       .k_words = panel_words,
                       .a = scratch.rows,
                       .a_stride = panel_words,
                       .b = scratch.weight,
                       .c = scratch.hidden,
                       .c_stride = features_,
                       .strips_at_once = StripsAtOnce(panel_words * kernels_.strip),
                       .accumulate = true,
                       .rounded = nullptr});
  }
  if (out.weight != nullptr) {
    WeightGradient(first, out, scratch.transposed);
  }
  const std::int64_t valid = std::min(kPanel, weight_.rows - first);
  for (std::int64_t j = 0; out.bias != nullptr && j < valid; ++j) {
    float& bias = out.bias[first + j];
    bias = has_gradient_ ? bias + column_sums[j] : column_sums[j];
  }
}

void Pass::WeightGradient(std::int64_t first, const Gradients& out, const Word* transposed) const {
  const std::int64_t k_words = picked_padded() / per_word();
  const std::int64_t offset = first * weight_.columns;
  const bool rounds = weight_.storage == Storage::kBfloat16;
  float* sum = rounds ? weight_sum_.data() : static_cast<float*>(out.weight);
  auto* rounded = static_cast<std::uint16_t*>(out.weight) + offset;
  kernels_.multiply({.rows = std::min(kPanel, weight_.rows - first),
                     .columns = weight_.columns,
                     .k_words = k_words,
                     .a = transposed,
                     .a_stride = 0,
                     .b = hidden_strips_.data(),
                     .c = sum == nullptr ? nullptr : sum + offset,
                     .c_stride = weight_.columns,
                     .strips_at_once = 1,
                     .accumulate = has_gradient_,
                     .rounded = rounds && out.is_last ? rounded : nullptr});
}

void Pass::SumHidden(const float* parts, float* out) const {
  const std::int64_t own = picked_padded() * features_;
#pragma omp parallel for schedule(static) num_threads(num_threads_)
  for (std::size_t i = 0; i < picked_.size(); ++i) {
    float* row = out + picked_[i] * weight_.columns;
    for (int t = 0; t < num_threads_; ++t) {
      const float* part = parts + t * own + static_cast<std::int64_t>(i) * features_;
      for (std::int64_t h = 0; h < weight_.columns; ++h) {
        row[h] += part[h];
      }
    }
  }
}

std::int64_t Pass::picked_padded() const {
  return RoundUp(static_cast<std::int64_t>(picked_.size()), kRowMultiple);
}

}  // namespace azr::loss
