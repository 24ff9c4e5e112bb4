#include "executor/module/audit.h"

#include "executor/module/instructions.h"

namespace azr::executor {
namespace {

class Counter final : public Listener {
 public:
  explicit Counter(ModuleAudit& audit) : audit_(audit) {}
  void change_state(const std::string& name) override { ++audit_.state_changes[name]; }

 private:
  ModuleAudit& audit_;
};

}  // namespace

ModuleAudit audit_module(std::string_view wasm) {
  ModuleAudit audit;
  Counter counter(audit);
  for_each_body(wasm, [&](size_t begin, size_t end) {
    ++audit.functions;
    if (!decode_body(wasm, begin, end, counter)) ++audit.undecoded;
  });
  return audit;
}

}  // namespace azr::executor
