#include "executor/engine.h"

#include <cstring>
#include <stdexcept>

#include "executor/wasi.h"

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
  *size = region->size;
  *capacity = region->mapped;
  return region->base;
}

wasmtime_error_t* grow_gc_memory(void* env, size_t new_size) {
  if (Slot::grow_gc_region(*static_cast<GcRegion*>(env), new_size)) return nullptr;
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
  GcRegion* region = slot->take_gc_region(reserved_bytes + guard_bytes, minimum);
  if (region == nullptr) return g_api->wasmtime_error_new("no address space for the gc heap");
  *memory = {region, get_gc_memory, grow_gc_memory,
             [](void* env) { Slot::release_gc_region(*static_cast<GcRegion*>(env)); }};
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

}  // namespace

struct Engine::Session {
  Session(const WasmtimeApi& table, wasm_engine_t* engine, GuestIo& guest_io)
      : api(table), io(guest_io), store(table.wasmtime_store_new(engine, &guest_io, nullptr)) {
    if (store == nullptr) throw std::runtime_error("wasmtime made no store");
    context = api.wasmtime_store_context(store);
  }
  ~Session() { api.wasmtime_store_delete(store); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const WasmtimeApi& api;
  GuestIo& io;
  wasmtime_store_t* store;
  wasmtime_context_t* context = nullptr;
  wasmtime_instance_t instance{};
};

Engine::Engine(const WasmtimeApi& api, const EngineOptions& options)
    : api_(api), options_(options) {
  g_api = &api;
  wasm_config_t* config = api.wasm_config_new();
  api.wasmtime_config_consume_fuel_set(config, options.fuel);
  api.wasmtime_config_epoch_interruption_set(config, options.epoch);
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
  wasmtime_memory_creator_t creator{nullptr, new_memory, nullptr};
  api.wasmtime_config_host_memory_creator_set(config, &creator);
  engine_ = api.wasm_engine_new_with_config(config);
  if (engine_ == nullptr) throw std::runtime_error("wasmtime made no engine");
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

void Engine::increment_epoch() const { api_.wasmtime_engine_increment_epoch(engine_); }

void Engine::finish(Session& session, wasmtime_error_t* error, wasm_trap_t* trap, Run& run) const {
  if (session.io.stop != HostStop::kNone) {
    run.ending = Ending::kHostStopped;
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
  if (api_.wasmtime_trap_code(trap, &code)) {
    if (code == kTrapOutOfFuel) run.ending = Ending::kOutOfFuel;
    if (code == kTrapInterrupt) run.ending = Ending::kInterrupted;
  }
  run.trap = first_line(take_message(api_, trap));
}

bool Engine::call(Session& session, const char* name, wasmtime_val_raw_t* values, size_t count,
                  Run& run) const {
  wasmtime_extern_t item{};
  if (!api_.wasmtime_instance_export_get(session.context, &session.instance, name,
                                         std::strlen(name), &item) ||
      item.kind != kExternFunc) {
    throw std::runtime_error(std::string("the guest does not export ") + name);
  }
  wasm_trap_t* trap = nullptr;
  wasmtime_error_t* error =
      api_.wasmtime_func_call_unchecked(session.context, &item.of.func, values, count, &trap);
  if (error == nullptr && trap == nullptr) return true;
  finish(session, error, trap, run);
  return false;
}

Run Engine::run(Slot& slot, GuestIo& io, std::string_view request, uint64_t fuel,
                uint64_t epoch_ticks) const {
  if (pre_ == nullptr) throw std::logic_error("the engine has no module yet");
  io.slot = &slot;
  Session session(api_, engine_, io);
  if (options_.fuel) check(api_, "fuel", api_.wasmtime_context_set_fuel(session.context, fuel));
  if (options_.epoch) api_.wasmtime_context_set_epoch_deadline(session.context, epoch_ticks);
  t_slot = &slot;
  wasm_trap_t* trap = nullptr;
  wasmtime_error_t* error =
      api_.wasmtime_instance_pre_instantiate(pre_, session.context, &session.instance, &trap);
  t_slot = nullptr;
  check(api_, "cannot instantiate the guest", error);
  if (trap != nullptr) throw std::runtime_error("instantiation: " + take_message(api_, trap));

  Run result;
  wasmtime_val_raw_t values[2]{};
  slot.mark_faults();
  values[0].i32 = static_cast<int32_t>(request.size());
  if (call(session, "host_alloc", values, 1, result)) {
    const auto at = static_cast<uint32_t>(values[0].i32);
    if (at == 0 || at + uint64_t{request.size()} > slot.size()) {
      result.trap = "no memory for the request";
    } else {
      std::memcpy(slot.base() + at, request.data(), request.size());
      values[0].i32 = static_cast<int32_t>(at);
      values[1].i32 = static_cast<int32_t>(request.size());
      if (call(session, "turn", values, 2, result)) {
        result.ending = Ending::kFinished;
        result.status = values[0].i32;
      }
    }
  }
  if (options_.fuel) {
    uint64_t left = 0;
    check(api_, "fuel", api_.wasmtime_context_get_fuel(session.context, &left));
    result.fuel_used = fuel - left;
  }
  return result;
}

}  // namespace azr::executor
