#include "loss/dispatch.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace azr::loss {
namespace {

std::vector<const Kernels*> Available() {
  std::vector<const Kernels*> tables;
#if defined(__x86_64__) && defined(__GNUC__)
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (avx512 && __builtin_cpu_supports("avx512bf16")) {
    tables.push_back(kAvx512Bf16Kernels);
  }
  if (avx512) {
    tables.push_back(kAvx512Kernels);
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    tables.push_back(kAvx2Kernels);
  }
#endif
  tables.push_back(kPortableKernels);
  std::erase(tables, nullptr);
  return tables;
}

}  // namespace

std::vector<std::string> AvailableIsas() {
  std::vector<std::string> names;
  for (const Kernels* table : Available()) {
    names.emplace_back(table->name);
  }
  return names;
}

const Kernels& KernelsFor(std::string_view isa, Storage hidden, Storage weight) {
  const std::vector<const Kernels*> tables = Available();
  const bool pairs = hidden == Storage::kBfloat16 && weight == Storage::kBfloat16;
  auto table = tables.begin();
  if (!isa.empty()) {
    table = std::ranges::find_if(tables, [&](const Kernels* t) { return t->name == isa; });
  }
  if (table == tables.end()) {
    throw std::invalid_argument("isa must be one this machine has, got '" + std::string(isa) + "'");
  }
  // The portable table is last and takes everything, so this ends.
  while ((*table)->pairs && !pairs) {
    ++table;
  }
  return **table;
}

}  // namespace azr::loss
