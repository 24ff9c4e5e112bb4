// Wasmtime's engine with the guest's compiled code, and one run of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "executor/engine/guest_io.h"
#include "executor/engine/safety_net.h"
#include "executor/engine/wasmtime_api.h"
#include "executor/memory/slot.h"

namespace azr::executor {

struct EngineOptions {
  bool fuel = true;  // count instructions; without it a run is bounded by its Watch alone
  // Deep enough that CPython's own limit (builder.cc) comes first: a RecursionError is the same on
  // every machine, an exhausted native stack depends on the compiler's frames.
  size_t wasm_stack_bytes = size_t{256} << 20;
  // Compile for every CPU of this architecture since about 2009, not for this one alone.
  bool for_any_cpu = false;
};

// Counts fuel: decides verdicts.
constexpr EngineOptions kMetered{};
// Runs the same code about a fifth faster without counting. Its stack is half as deep, so what
// finishes here finishes under the metered engine too, whose frames are larger by far less.
constexpr EngineOptions kUnmetered{false, size_t{128} << 20};

// What a thread that runs guests needs beside the guest's own stack.
constexpr size_t kHostStackBytes = size_t{4} << 20;

// How a run ended, as WebAssembly saw it; GuestIo::stop tells why the host stopped it.
enum class Ending : uint8_t {
  kFinished,
  kHostStopped,
  kOutOfFuel,
  kInterrupted,  // see Run::interrupt
  kTrapped,
};

struct Run {
  Ending ending = Ending::kTrapped;
  std::string trap;  // short message when kTrapped
  Interrupt interrupt = Interrupt::kNone;
  uint64_t fuel_used = 0;
  int32_t status = -1;  // what `turn` returned when kFinished
};

// An instance is renewed after so many runs, whatever they did: what wasmtime keeps for a store
// on the host's side stays bounded without a proof about its inside.
constexpr size_t kRunsPerInstance = 4096;

class Instance;

// Thread-safe after load(). Instances must not outlive it.
class Engine {
 public:
  Engine(const WasmtimeApi& api, const EngineOptions& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const EngineOptions& options() const { return options_; }

  // Compiles a module to wasmtime's serialized form: tens of seconds, gigabytes.
  std::string compile(std::string_view wasm) const;
  // Loads a file written from compile()'s result. It is trusted: native code runs from it.
  void load(const std::string& path);

 private:
  friend class Instance;

  const WasmtimeApi& api_;
  EngineOptions options_;
  wasm_engine_t* engine_ = nullptr;
  wasmtime_module_t* module_ = nullptr;
  wasmtime_instance_pre_t* pre_ = nullptr;
};

// A live guest over a slot's memory, in a store of its own. Not thread-safe.
//
// Of an instance only linear memory and the stack pointer can change: the guest's code has no
// instruction that changes anything else, which is checked when the guest is built (audit.h). So
// an instance whose slot was restored is as fresh as a new one, and much cheaper: a new one costs
// 10-20 us, and as much again while wasmtime fills its function table lazily. is_fresh() says
// whether the last run left something that a restore does not undo.
class Instance {
 public:
  // Throws std::runtime_error when the machinery fails. `slot` and `io` must outlive the instance.
  Instance(const Engine& engine, Slot& slot, GuestIo& io);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  // Runs `turn(request)`. The caller restores the slot afterwards. Throws std::runtime_error when
  // the machinery fails, not when the guest does. `watch` is the thread's.
  Run run(std::string_view request, uint64_t fuel, const SafetyNet& net, Watch& watch);

  // Runs the module's C++ constructors: once in the life of an image, before its first turn.
  void run_constructors(uint64_t fuel);

  // Where the stack pointer is while nothing runs.
  int32_t stack_top() const { return stack_top_; }

  // False after a run that did not finish, left more memory than the image's, moved the stack
  // pointer or used wasmtime's own heap, and after kRunsPerInstance runs.
  bool is_fresh() const { return is_fresh_; }

 private:
  struct Function {
    const char* name;
    wasmtime_func_t handle;
  };

  wasmtime_extern_t find(const char* name, uint8_t kind) const;
  void instantiate();
  bool call(const Function& function, wasmtime_val_raw_t* values, size_t count, Run& run);
  void finish(wasmtime_error_t* error, wasm_trap_t* trap, Run& run) const;
  void turn(std::string_view request, Run& run);
  int32_t stack_pointer() const;

  const Engine& engine_;
  const WasmtimeApi& api_;
  Slot& slot_;
  GuestIo& io_;
  wasmtime_store_t* store_;
  wasmtime_context_t* context_ = nullptr;
  wasmtime_instance_t instance_{};
  Function host_alloc_{"host_alloc", {}};
  Function turn_{"turn", {}};
  wasmtime_global_t stack_pointer_{};
  int32_t stack_top_ = 0;
  size_t runs_ = 0;
  bool is_fresh_ = true;
};

}  // namespace azr::executor
