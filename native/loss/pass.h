// Forward and backward of a language model's head over a chunk of tokens, without [T, V] in memory:
// the logits of one chunk at most.
//
// T rows of hidden, H features, V words. Knows no loss: the caller turns the sums of Forward into
// two numbers per token, a = dL/dlogprob and b = dL/dentropy, and hands them to Backward:
//
//   Pass pass(weight, transform, storage, isa, num_threads);
//   for each chunk of tokens:
//     pass.Forward(chunk, targets, /*keep=*/true, statistics);
//     a, b = the loss's derivatives, from statistics        (azr/learner/loss/formulas.py)
//     pass.Backward(targets, {statistics, a, b}, gradients);
//
// The files: pass.cc cuts the work into panels of the vocabulary and shares them among threads;
// kernels/kernels.h is what it calls for a panel. Behind that, in kernels/: product_impl.h
// multiplies and packs, vocabulary_impl.h sums and differentiates, vector_impl.h has e^x and tanh,
// each written once and compiled by the .cc files for every instruction set; dispatch.h chooses
// among them. scratch.h is the memory, rate.h the benchmark's measure, bind.cc the Python face.
#ifndef AZR_NATIVE_LOSS_PASS_H_
#define AZR_NATIVE_LOSS_PASS_H_

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "loss/kernels/kernels.h"
#include "loss/scratch.h"

namespace azr::loss {

// Per-token sums over the vocabulary, [rows] each; see Sums. target_logit is 0 for a target outside
// [0, V), of which nothing is read.
struct Statistics {
  Sums sums;
  float* target_logit;
};

// What Backward reads, [rows] each: the sums of the whole vocabulary and the loss's derivatives.
struct Derivatives {
  const float* maximum;
  const float* sum_exp;
  const float* entropy;
  const float* a;
  const float* b;  // nullptr: 0
};

// Where Backward writes; nullptr: not wanted. The same weight and bias in every chunk of a pass.
struct Gradients {
  float* hidden;  // [rows, H], overwritten
  void* weight;   // [V, H] in the weight's storage, complete after the last chunk
  float* bias;    // [V], likewise
  bool is_last;   // chunk of the pass: sums of a bfloat16 weight's gradient are rounded here, once
};

// The work of one call on one head, chunk after chunk. Not thread-safe; uses up to `num_threads`
// OpenMP threads itself. Results depend on num_threads in hidden's gradient alone, and there only
// in the last bits; for a given number they are bitwise reproducible.
class Pass {
 public:
  // `weight` and the transform's bias must outlive the pass. `isa` as in KernelsFor. Throws
  // std::invalid_argument for impossible sizes, std::bad_alloc.
  Pass(const Matrix& weight, const LogitTransform& transform, Storage hidden, std::string_view isa,
       int num_threads);

  // Computes the sums of the tokens; with `keep`, Backward may follow. hidden.columns must be H.
  void Forward(const Matrix& hidden, std::span<const std::int64_t> targets, bool keep,
               const Statistics& out);

  // Adds the gradients of the tokens of the Forward just before, which had `keep`. Tokens with
  // a = b = 0 are left out of every product. Throws std::logic_error without kept logits.
  void Backward(std::span<const std::int64_t> targets, const Derivatives& derivatives,
                const Gradients& out);

  // The name of the instruction set at work.
  [[nodiscard]] const char* isa() const { return kernels_.name; }

 private:
  // What one thread writes to in the backward.
  struct ThreadScratch {
    Word* weight;      // a panel of it, as B of dH
    Word* rows;        // dL/du, as A of dH
    Word* transposed;  // as A of dW
    float* hidden;     // the thread's part of dH, [picked, features_]
  };
  struct BackwardScratch;

  void ForwardPanel(std::int64_t panel, std::span<const std::int64_t> targets, Word* packed,
                    float* logits, float* target_logit);
  void PickRows(std::span<const std::int64_t> targets, const Derivatives& derivatives);
  void PackPicked();
  void PrepareWeightGradient(const Gradients& out);
  void FinishWithoutTokens(const Gradients& out) const;
  void BackwardPanel(std::int64_t panel, const Gradients& out, const ThreadScratch& scratch);
  void WeightGradient(std::int64_t first, const Gradients& out, const Word* transposed) const;
  void SumHidden(const float* parts, float* out) const;

  [[nodiscard]] std::int64_t picked_padded() const;
  [[nodiscard]] std::int64_t per_word() const { return kernels_.pairs ? 2 : 1; }

  Matrix weight_;
  LogitTransform transform_;
  const Kernels& kernels_;
  int num_threads_;
  std::int64_t features_;  // H, padded
  std::int64_t words_;     // of a padded row of hidden
  std::int64_t panels_;

  // Of the chunk at hand.
  std::int64_t rows_ = 0;
  std::int64_t capacity_ = 0;         // rows the scratch has room for
  std::int64_t logits_capacity_ = 0;  // rows there is room for logits of
  Scratch<Word> hidden_;              // [rows, words_]
  Scratch<float> parts_;              // three sums of each panel and row
  Scratch<float> logits_;             // [panel][row][kPanel]
  bool kept_ = false;
  std::vector<std::int32_t> picked_;  // rows that have a gradient
  std::vector<RowTerms> terms_;       // theirs
  Scratch<Word> hidden_strips_;       // picked rows of hidden, as B of dW

  // Of the pass.
  Scratch<float> weight_sum_;  // [V, H] of a bfloat16 weight's gradient, if chunks must be summed
  bool has_gradient_ = false;  // whether a chunk before has written to weight and bias
};

}  // namespace azr::loss

#endif  // AZR_NATIVE_LOSS_PASS_H_
