// azr._loss: the kernel's Python face. Addresses in, no logic; azr/learner/loss/native.py checks
// shapes.
//
// Tensors come as addresses (Tensor.data_ptr()), so that this module needs neither torch's headers
// nor its ABI. Whoever calls keeps the tensors alive and their memory contiguous.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "loss/dispatch.h"
#include "loss/kernels/kernels.h"
#include "loss/pass.h"
#include "loss/rate.h"
#include "loss/scratch.h"

namespace py = pybind11;

namespace {

using azr::loss::Matrix;
using azr::loss::Pass;
using azr::loss::Storage;

// JUSTIFICATION: data_ptr() is the one thing torch promises about a tensor's memory. SAFETY: the
// caller holds the tensor for as long as the call, or the pass, lasts.
template <class T>
T* At(std::uintptr_t address) {
  return reinterpret_cast<T*>(address);
}

Storage StorageOf(bool is_bfloat16) { return is_bfloat16 ? Storage::kBfloat16 : Storage::kFloat32; }

struct Tensor {
  std::uintptr_t address;
  bool is_bfloat16;
  std::int64_t rows;
  std::int64_t columns;

  [[nodiscard]] Matrix matrix() const {
    return {At<const void>(address), StorageOf(is_bfloat16), rows, columns};
  }
};

// Rows of a [4, rows] tensor: maximum, sum_exp, sum_exp_shifted, target_logit.
azr::loss::Statistics StatisticsAt(std::uintptr_t address, std::int64_t rows) {
  auto* row = At<float>(address);
  return {{row, row + rows, row + 2 * rows}, row + 3 * rows};
}

// Rows of a [5, rows] tensor: maximum, sum_exp, entropy, a, b.
azr::loss::Derivatives DerivativesAt(std::uintptr_t address, std::int64_t rows, bool has_b) {
  const auto* row = At<const float>(address);
  return {row, row + rows, row + 2 * rows, row + 3 * rows, has_b ? row + 4 * rows : nullptr};
}

}  // namespace

PYBIND11_MODULE(_loss, m) {
  m.doc() = "The policy loss's passes over the vocabulary, on the CPU.";
  m.def("available_isas", &azr::loss::AvailableIsas);
  m.def("release_scratch", &azr::loss::ReleaseScratch);
  m.def(
      "product_rate",
      [](const std::string& isa, bool is_bfloat16, int num_threads, int rounds) {
        return azr::loss::ProductRate(isa, StorageOf(is_bfloat16), num_threads, rounds);
      },
      py::kw_only(), py::arg("isa"), py::arg("is_bfloat16"), py::arg("num_threads"),
      py::arg("rounds"), py::call_guard<py::gil_scoped_release>());

  py::class_<Tensor>(m, "Tensor")
      .def(py::init<std::uintptr_t, bool, std::int64_t, std::int64_t>(), py::arg("address"),
           py::arg("is_bfloat16"), py::arg("rows"), py::arg("columns"));

  py::class_<Pass>(m, "Pass")
      .def(py::init([](const Tensor& weight, std::uintptr_t bias, float scale, float temperature,
                       float softcap, bool hidden_is_bfloat16, const std::string& isa,
                       int num_threads) {
             return Pass(weight.matrix(),
                         {.scale = scale,
                          .temperature = temperature,
                          .softcap = softcap,
                          .bias = At<const float>(bias)},
                         StorageOf(hidden_is_bfloat16), isa, num_threads);
           }),
           py::arg("weight"), py::kw_only(), py::arg("bias"), py::arg("scale"),
           py::arg("temperature"), py::arg("softcap"), py::arg("hidden_is_bfloat16"),
           py::arg("isa"), py::arg("num_threads"))
      .def_property_readonly("isa", &Pass::isa)
      .def(
          "forward",
          [](Pass& self, const Tensor& hidden, std::uintptr_t targets, std::uintptr_t statistics,
             bool keep) {
            const std::span words(At<const std::int64_t>(targets),
                                  static_cast<std::size_t>(hidden.rows));
            self.Forward(hidden.matrix(), words, keep, StatisticsAt(statistics, hidden.rows));
          },
          py::arg("hidden"), py::arg("targets"), py::arg("statistics"), py::kw_only(),
          py::arg("keep"), py::call_guard<py::gil_scoped_release>())
      .def(
          "backward",
          [](Pass& self, std::int64_t rows, std::uintptr_t targets, std::uintptr_t derivatives,
             bool has_b, std::uintptr_t grad_hidden, std::uintptr_t grad_weight,
             std::uintptr_t grad_bias, bool is_last) {
            const std::span words(At<const std::int64_t>(targets), static_cast<std::size_t>(rows));
            self.Backward(words, DerivativesAt(derivatives, rows, has_b),
                          {.hidden = At<float>(grad_hidden),
                           .weight = At<void>(grad_weight),
                           .bias = At<float>(grad_bias),
                           .is_last = is_last});
          },
          py::arg("rows"), py::arg("targets"), py::arg("derivatives"), py::kw_only(),
          py::arg("has_b"), py::arg("grad_hidden"), py::arg("grad_weight"), py::arg("grad_bias"),
          py::arg("is_last"), py::call_guard<py::gil_scoped_release>());
}
