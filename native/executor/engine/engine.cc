#include "executor/engine/engine.h"

#include <cstring>
#include <stdexcept>

#include "executor/engine/trap_signals.h"
#include "executor/wasi/wasi.h"

namespace azr::executor {
namespace {

const WasmtimeApi* g_api = nullptr;

// The slot whose memory the next instance on this thread takes.
thread_local Slot* t_slot = nullptr;

uint8_t* get_slot_memory(void* env, size_t* size, size_t* capacity) {
  auto* slot = static_cast<Slot*>(env);
  *size = slot->size();
  *capacity = kReservedBytes;
  return slot->base();
}

wasmtime_error_t* grow_slot_memory(void* env, size_t new_size) {
  if (static_cast<Slot*>(env)->grow(new_size)) return nullptr;
  return g_api->wasmtime_error_new("memory cap");
}

uint8_t* get_gc_memory(void* env, size_t* size, size_t* capacity) {
  auto* region = static_cast<GcRegion*>(env);
  *size = region->size();
  *capacity = region->mapped();
  return region->base();
}

wasmtime_error_t* grow_gc_memory(void* env, size_t new_size) {
  if (static_cast<GcRegion*>(env)->grow(new_size)) return nullptr;
  return g_api->wasmtime_error_new("gc heap cap");
}

// Wasmtime asks here for the guest's memory and for its own GC heap; the guest's is the one
// whose minimum is the image's size.
wasmtime_error_t* new_memory(void*, const wasm_memorytype_t*, size_t minimum, size_t,
                             size_t reserved_bytes, size_t guard_bytes,
                             wasmtime_linear_memory_t* memory) {
  Slot* slot = t_slot;
  if (slot == nullptr) return g_api->wasmtime_error_new("no slot on this thread");
  // A guest never has less than this; wasmtime's GC heap starts at zero.
  constexpr size_t kSmallestGuest = size_t{8} << 20;
  if (minimum >= kSmallestGuest) {
    if (minimum > slot->size() || reserved_bytes > kReservedBytes || guard_bytes > kGuardBytes) {
      return g_api->wasmtime_error_new("the slot does not fit the module");
    }
    *memory = {slot, get_slot_memory, grow_slot_memory, [](void*) {}};
    return nullptr;
  }
  if (!slot->gc().take(reserved_bytes + guard_bytes, minimum)) {
    return g_api->wasmtime_error_new("no address space for the gc heap");
  }
  *memory = {&slot->gc(), get_gc_memory, grow_gc_memory,
             [](void* env) { static_cast<GcRegion*>(env)->release(); }};
  return nullptr;
}

std::string first_line(const std::string& text) {
  // Wasmtime's message is a backtrace that ends with "wasm trap: <reason>".
  static constexpr std::string_view kMark = "wasm trap: ";
  const size_t mark = text.rfind(kMark);
  const size_t from = mark == std::string::npos ? 0 : mark + kMark.size();
  size_t to = text.find('\n', from);
  if (to == std::string::npos) to = text.size();
  while (to > from && text[to - 1] == '\0') --to;
  return text.substr(from, std::min<size_t>(to - from, 200));
}

// With a target that is named, Cranelift uses what every CPU of the architecture has, and not what
// it finds here. On x86-64 that is of 2003; the flags are those of x86-64-v2.
void aim_at_any_cpu(const WasmtimeApi& api, wasm_config_t* config) {
#if defined(__aarch64__)
  check(api, "target", api.wasmtime_config_target_set(config, "aarch64-unknown-linux-gnu"));
#else
  check(api, "target", api.wasmtime_config_target_set(config, "x86_64-unknown-linux-gnu"));
  for (const char* flag : {"has_sse3", "has_ssse3", "has_sse41", "has_sse42", "has_popcnt"}) {
    api.wasmtime_config_cranelift_flag_enable(config, flag);
  }
#endif
}

}  // namespace

Engine::Engine(const WasmtimeApi& api, const EngineOptions& options)
    : api_(api), options_(options) {
  g_api = &api;
  wasm_config_t* config = api.wasm_config_new();
  api.wasmtime_config_consume_fuel_set(config, options.fuel);
  api.wasmtime_config_wasm_exceptions_set(config, true);
  // In this order: wasmtime aborts the process when the async stack is the smaller one.
  api.wasmtime_config_async_stack_size_set(config, options.wasm_stack_bytes + (1 << 20));
  api.wasmtime_config_max_wasm_stack_set(config, options.wasm_stack_bytes);
  api.wasmtime_config_cranelift_opt_level_set(config, kOptLevelSpeed);
  api.wasmtime_config_parallel_compilation_set(config, true);
  api.wasmtime_config_native_unwind_info_set(config, false);
  api.wasmtime_config_memory_reservation_set(config, kReservedBytes);
  api.wasmtime_config_memory_guard_size_set(config, kGuardBytes);
  api.wasmtime_config_memory_may_move_set(config, false);
  if (options.for_any_cpu) aim_at_any_cpu(api, config);
  wasmtime_memory_creator_t creator{nullptr, new_memory, nullptr};
  api.wasmtime_config_host_memory_creator_set(config, &creator);
  put_handler_behind(reinterpret_cast<const void*>(api.wasm_engine_new_with_config));
  engine_ = api.wasm_engine_new_with_config(config);
  if (engine_ == nullptr) throw std::runtime_error("wasmtime made no engine");
  // Only the first engine of a process makes wasmtime install its handlers.
  [[maybe_unused]] static const bool is_noted = (note_trap_handlers(), true);
}

Engine::~Engine() {
  if (pre_ != nullptr) api_.wasmtime_instance_pre_delete(pre_);
  if (module_ != nullptr) api_.wasmtime_module_delete(module_);
  api_.wasm_engine_delete(engine_);
}

std::string Engine::compile(std::string_view wasm) const {
  wasmtime_module_t* module = nullptr;
  // A module is bytes; the API says uint8_t, std::string_view says char.
  const auto* bytes = reinterpret_cast<const uint8_t*>(wasm.data());
  check(api_, "cannot compile the guest",
        api_.wasmtime_module_new(engine_, bytes, wasm.size(), &module));
  wasm_byte_vec_t out{};
  wasmtime_error_t* error = api_.wasmtime_module_serialize(module, &out);
  api_.wasmtime_module_delete(module);
  check(api_, "cannot serialize the guest", error);
  std::string serialized(out.data, out.size);
  api_.wasm_byte_vec_delete(&out);
  return serialized;
}

void Engine::load(const std::string& path) {
  if (module_ != nullptr) throw std::logic_error("the engine has its module already");
  check(api_, "cannot load the compiled guest",
        api_.wasmtime_module_deserialize_file(engine_, path.c_str(), &module_));
  wasmtime_linker_t* linker = api_.wasmtime_linker_new(engine_);
  define_host_functions(api_, linker);
  wasmtime_error_t* error = api_.wasmtime_linker_instantiate_pre(linker, module_, &pre_);
  api_.wasmtime_linker_delete(linker);
  check(api_, "cannot link the guest", error);
}

Instance::Instance(const Engine& engine, Slot& slot, GuestIo& io)
    : engine_(engine),
      api_(engine.api_),
      slot_(slot),
      io_(io),
      store_(api_.wasmtime_store_new(engine.engine_, &io, nullptr)) {
  if (engine.pre_ == nullptr) throw std::logic_error("the engine has no module yet");
  if (store_ == nullptr) throw std::runtime_error("wasmtime made no store");
  context_ = api_.wasmtime_store_context(store_);
  try {
    instantiate();
  } catch (...) {
    api_.wasmtime_store_delete(store_);
    throw;
  }
}

Instance::~Instance() { api_.wasmtime_store_delete(store_); }

void Instance::instantiate() {
  wasm_trap_t* trap = nullptr;
  t_slot = &slot_;
  wasmtime_error_t* error =
      api_.wasmtime_instance_pre_instantiate(engine_.pre_, context_, &instance_, &trap);
  t_slot = nullptr;
  check(api_, "cannot instantiate the guest", error);
  if (trap != nullptr) throw std::runtime_error("instantiation: " + take_message(api_, trap));
  host_alloc_.handle = find(host_alloc_.name, kExternFunc).of.func;
  turn_.handle = find(turn_.name, kExternFunc).of.func;
  stack_pointer_ = find("__stack_pointer", kExternGlobal).of.global;
  stack_top_ = stack_pointer();
}

wasmtime_extern_t Instance::find(const char* name, uint8_t kind) const {
  wasmtime_extern_t item{};
  if (!api_.wasmtime_instance_export_get(context_, &instance_, name, std::strlen(name), &item) ||
      item.kind != kind) {
    throw std::runtime_error(std::string("the guest does not export ") + name);
  }
  return item;
}

void Instance::run_constructors(uint64_t fuel) {
  io_.slot = &slot_;
  io_.paid_size = slot_.size();
  if (engine_.options().fuel) {
    check(api_, "fuel", api_.wasmtime_context_set_fuel(context_, fuel));
  }
  const Function constructors{"_initialize", find("_initialize", kExternFunc).of.func};
  wasmtime_val_raw_t values[1]{};
  Run run;
  is_fresh_ = false;
  if (!call(constructors, values, 0, run)) {
    throw std::runtime_error("the guest's constructors failed: " + run.trap);
  }
}

int32_t Instance::stack_pointer() const {
  wasmtime_val_t value{};
  api_.wasmtime_global_get(context_, &stack_pointer_, &value);
  return value.of.i32;
}

void Instance::finish(wasmtime_error_t* error, wasm_trap_t* trap, Run& run) const {
  if (io_.stop != HostStop::kNone) {
    const bool is_out = io_.stop == HostStop::kOutOfFuel;
    run.ending = is_out ? Ending::kOutOfFuel : Ending::kHostStopped;
    if (trap != nullptr) api_.wasm_trap_delete(trap);
    if (error != nullptr) api_.wasmtime_error_delete(error);
    return;
  }
  run.ending = Ending::kTrapped;
  if (error != nullptr) {
    run.trap = first_line(take_message(api_, error));
    return;
  }
  uint8_t code = 0;
  if (api_.wasmtime_trap_code(trap, &code) && code == kTrapOutOfFuel) {
    run.ending = Ending::kOutOfFuel;
  }
  run.trap = first_line(take_message(api_, trap));
}

bool Instance::call(const Function& function, wasmtime_val_raw_t* values, size_t count, Run& run) {
  wasm_trap_t* trap = nullptr;
  wasmtime_error_t* error =
      api_.wasmtime_func_call_unchecked(context_, &function.handle, values, count, &trap);
  if (error == nullptr && trap == nullptr) return true;
  finish(error, trap, run);
  return false;
}

void Instance::turn(std::string_view request, Run& run) {
  wasmtime_val_raw_t values[2]{};
  values[0].i32 = static_cast<int32_t>(request.size());
  if (!call(host_alloc_, values, 1, run)) return;
  const auto at = static_cast<uint32_t>(values[0].i32);
  if (at == 0 || at + uint64_t{request.size()} > slot_.size()) {
    run.trap = "no memory for the request";
    return;
  }
  std::memcpy(slot_.base() + at, request.data(), request.size());
  values[0].i32 = static_cast<int32_t>(at);
  values[1].i32 = static_cast<int32_t>(request.size());
  if (!call(turn_, values, 2, run)) return;
  run.ending = Ending::kFinished;
  run.status = values[0].i32;
}

Run Instance::run(std::string_view request, uint64_t fuel, const SafetyNet& net, Watch& watch) {
  const EngineOptions& options = engine_.options();
  io_.slot = &slot_;
  io_.counts_fuel = options.fuel;
  io_.paid_size = slot_.size();
  if (options.fuel) check(api_, "fuel", api_.wasmtime_context_set_fuel(context_, fuel));
  Run result;
  is_fresh_ = false;  // until the run has shown that it is
  {
    const Watched watched(watch, net, slot_);
    turn(request, result);
  }
  // What ended by itself has ended, whoever wanted to stop it.
  if (result.ending == Ending::kTrapped && watch.interrupt() != Interrupt::kNone) {
    result.ending = Ending::kInterrupted;
    result.interrupt = watch.interrupt();
  }
  if (options.fuel) {
    uint64_t left = 0;
    check(api_, "fuel", api_.wasmtime_context_get_fuel(context_, &left));
    result.fuel_used = fuel - left;
  }
  is_fresh_ = result.ending == Ending::kFinished && slot_.size() == slot_.image().size() &&
              slot_.gc().size() == 0 && stack_pointer() == stack_top_ && ++runs_ < kRunsPerInstance;
  return result;
}

}  // namespace azr::executor
