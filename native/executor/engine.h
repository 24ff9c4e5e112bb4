// Wasmtime's engine with the guest's compiled code, and one run of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "executor/guest_io.h"
#include "executor/slot.h"
#include "executor/wasmtime_api.h"

namespace azr::executor {

struct EngineOptions {
  bool fuel = true;   // count instructions; without it a run is bounded by the epoch alone
  bool epoch = true;  // let increment_epoch() interrupt a run
  size_t wasm_stack_bytes = size_t{4} << 20;
};

// What a thread that runs guests needs beside the guest's own stack.
constexpr size_t kHostStackBytes = size_t{4} << 20;

// How a run ended, as WebAssembly saw it; GuestIo::stop tells why the host stopped it.
enum class Ending : uint8_t {
  kFinished,
  kHostStopped,
  kOutOfFuel,
  kInterrupted,  // the epoch's deadline passed: a machine failure, never an outcome
  kTrapped,
};

struct Run {
  Ending ending = Ending::kTrapped;
  std::string trap;  // short message when kTrapped
  uint64_t fuel_used = 0;
  int32_t status = -1;  // what `turn` returned when kFinished
};

// Thread-safe after load(). Slots used in runs must outlive them, not the engine.
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
  void increment_epoch() const;

  // Runs `turn(request)` in a fresh store and instance over `slot`'s memory. The caller restores
  // the slot afterwards. Throws std::runtime_error when the machinery fails, not when the guest
  // does.
  Run run(Slot& slot, GuestIo& io, std::string_view request, uint64_t fuel,
          uint64_t epoch_ticks) const;

 private:
  struct Session;
  void finish(Session& session, wasmtime_error_t* error, wasm_trap_t* trap, Run& run) const;
  bool call(Session& session, const char* name, wasmtime_val_raw_t* values, size_t count,
            Run& run) const;

  const WasmtimeApi& api_;
  EngineOptions options_;
  wasm_engine_t* engine_ = nullptr;
  wasmtime_module_t* module_ = nullptr;
  wasmtime_instance_pre_t* pre_ = nullptr;
};

}  // namespace azr::executor
