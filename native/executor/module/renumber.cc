#include "executor/module/renumber.h"

#include <stdexcept>

#include "executor/module/instructions.h"

namespace azr::executor {
namespace {

class Renumbering final : public Listener {
 public:
  Renumbering(std::string& out, const std::vector<uint32_t>& indices)
      : out_(out), indices_(indices) {}

  void name_function(size_t at) override {
    Decoder in(out_, at);
    const uint64_t old = in.uleb();
    if (old >= indices_.size()) throw std::runtime_error("a function is named that is not there");
    uint32_t rest = indices_[old];
    for (const size_t last = in.at() - 1; at <= last; ++at, rest >>= 7) {
      out_[at] = static_cast<char>((rest & 0x7f) | (at < last ? 0x80 : 0));
    }
    if (rest != 0) throw std::runtime_error("a function's new index has no room");
  }

 private:
  std::string& out_;
  const std::vector<uint32_t>& indices_;
};

}  // namespace

std::string renumber_functions(std::string_view wasm, const std::vector<uint32_t>& indices) {
  std::string out(wasm);
  Renumbering renumbering(out, indices);
  for_each_body(wasm, [&](size_t begin, size_t end) {
    if (!decode_body(wasm, begin, end, renumbering)) {
      throw std::runtime_error("a function has an instruction that is not known");
    }
  });
  return out;
}

}  // namespace azr::executor
