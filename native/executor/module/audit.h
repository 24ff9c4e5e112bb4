// Decodes every instruction of a module and lists what can hold state between two runs.
//
// A slot's restore resets linear memory. This is the proof that nothing else needs it, for an
// instance used again as for a *memory image* taken as the whole state of a booted guest: the
// module must have no mutable global but the stack pointer (equal at every turn's start) and must
// never change a table.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace azr::executor {

struct ModuleAudit {
  uint64_t functions = 0;
  uint64_t undecoded = 0;  // functions with an instruction this decoder does not know
  // How often each state-changing instruction occurs: "global.set 0", "memory.grow", ...
  std::map<std::string, uint64_t> state_changes;
};

// Throws std::runtime_error when `wasm` is not a module.
ModuleAudit audit_module(std::string_view wasm);

}  // namespace azr::executor
