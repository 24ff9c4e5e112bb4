// The part of wasmtime's C API that the executor uses, declared here because the Python wheel
// ships the library without headers (and without a SONAME to link to).
//
// Signatures and layouts: wasmtime/_bindings.py of the `wasmtime` package, 49 and 50.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace azr::executor {

struct wasm_engine_t;
struct wasm_config_t;
struct wasm_trap_t;
struct wasm_valtype_t;
struct wasm_functype_t;
struct wasm_memorytype_t;
struct wasmtime_error_t;
struct wasmtime_module_t;
struct wasmtime_linker_t;
struct wasmtime_instance_pre_t;
struct wasmtime_store_t;
struct wasmtime_context_t;
struct wasmtime_caller_t;

struct wasm_byte_vec_t {
  size_t size;
  char* data;
};

struct wasm_valtype_vec_t {
  size_t size;
  wasm_valtype_t** data;
};

union wasmtime_val_raw_t {
  int32_t i32;
  int64_t i64;
  float f32;
  double f64;
  uint8_t v128[16];
  void* funcref;
};
static_assert(sizeof(wasmtime_val_raw_t) == 16);

struct wasmtime_instance_t {
  uint64_t store_id;
  size_t private_index;
};

struct wasmtime_func_t {
  uint64_t store_id;
  void* private_pointer;
};

struct wasmtime_global_t {
  uint64_t store_id;
  uint32_t private_index[3];
};

struct wasmtime_extern_t {
  uint8_t kind;
  // Large enough for every member of the union (memory, table, global: 24 bytes).
  union {
    wasmtime_func_t func;
    wasmtime_global_t global;
    uint64_t space[3];
  } of;
};
static_assert(sizeof(wasmtime_extern_t) == 32);

struct wasmtime_val_t {
  uint8_t kind;
  union {
    int32_t i32;
    uint64_t space[3];  // the widest member, a reference
  } of;
};
static_assert(sizeof(wasmtime_val_t) == 32);

struct wasmtime_linear_memory_t {
  void* env;
  uint8_t* (*get_memory)(void* env, size_t* byte_size, size_t* byte_capacity);
  wasmtime_error_t* (*grow_memory)(void* env, size_t new_size);
  void (*finalizer)(void* env);
};

struct wasmtime_memory_creator_t {
  void* env;
  wasmtime_error_t* (*new_memory)(void* env, const wasm_memorytype_t* type, size_t minimum,
                                  size_t maximum, size_t reserved_bytes, size_t guard_bytes,
                                  wasmtime_linear_memory_t* memory);
  void (*finalizer)(void* env);
};

using wasmtime_unchecked_callback_t = wasm_trap_t* (*)(void* env, wasmtime_caller_t* caller,
                                                       wasmtime_val_raw_t* args_and_results,
                                                       size_t count);

constexpr uint8_t kWasmI32 = 0;
constexpr uint8_t kWasmI64 = 1;
constexpr uint8_t kExternFunc = 0;
constexpr uint8_t kExternGlobal = 1;
constexpr uint8_t kTrapStackOverflow = 0;
constexpr uint8_t kTrapOutOfFuel = 11;
constexpr uint8_t kOptLevelSpeed = 1;

// X(result, name, parameters)
#define AZR_WASMTIME_FUNCTIONS(X)                                                                \
  X(wasm_config_t*, wasm_config_new, ())                                                         \
  X(wasm_engine_t*, wasm_engine_new_with_config, (wasm_config_t*))                               \
  X(void, wasm_engine_delete, (wasm_engine_t*))                                                  \
  X(void, wasmtime_config_consume_fuel_set, (wasm_config_t*, bool))                              \
  X(void, wasmtime_config_wasm_exceptions_set, (wasm_config_t*, bool))                           \
  X(void, wasmtime_config_async_stack_size_set, (wasm_config_t*, uint64_t))                      \
  X(void, wasmtime_config_max_wasm_stack_set, (wasm_config_t*, size_t))                          \
  X(void, wasmtime_config_cranelift_opt_level_set, (wasm_config_t*, uint8_t))                    \
  X(void, wasmtime_config_parallel_compilation_set, (wasm_config_t*, bool))                      \
  X(void, wasmtime_config_native_unwind_info_set, (wasm_config_t*, bool))                        \
  X(void, wasmtime_config_memory_reservation_set, (wasm_config_t*, uint64_t))                    \
  X(void, wasmtime_config_memory_guard_size_set, (wasm_config_t*, uint64_t))                     \
  X(void, wasmtime_config_memory_may_move_set, (wasm_config_t*, bool))                           \
  X(void, wasmtime_config_host_memory_creator_set, (wasm_config_t*, wasmtime_memory_creator_t*)) \
  X(wasmtime_error_t*, wasmtime_config_target_set, (wasm_config_t*, const char*))                \
  X(void, wasmtime_config_cranelift_flag_enable, (wasm_config_t*, const char*))                  \
  X(wasmtime_error_t*, wasmtime_module_new,                                                      \
    (wasm_engine_t*, const uint8_t*, size_t, wasmtime_module_t**))                               \
  X(wasmtime_error_t*, wasmtime_module_serialize, (wasmtime_module_t*, wasm_byte_vec_t*))        \
  X(wasmtime_error_t*, wasmtime_module_deserialize_file,                                         \
    (wasm_engine_t*, const char*, wasmtime_module_t**))                                          \
  X(void, wasmtime_module_delete, (wasmtime_module_t*))                                          \
  X(wasmtime_linker_t*, wasmtime_linker_new, (wasm_engine_t*))                                   \
  X(void, wasmtime_linker_delete, (wasmtime_linker_t*))                                          \
  X(wasmtime_error_t*, wasmtime_linker_define_func_unchecked,                                    \
    (wasmtime_linker_t*, const char*, size_t, const char*, size_t, const wasm_functype_t*,       \
     wasmtime_unchecked_callback_t, void*, void (*)(void*)))                                     \
  X(wasmtime_error_t*, wasmtime_linker_instantiate_pre,                                          \
    (wasmtime_linker_t*, const wasmtime_module_t*, wasmtime_instance_pre_t**))                   \
  X(void, wasmtime_instance_pre_delete, (wasmtime_instance_pre_t*))                              \
  X(wasmtime_error_t*, wasmtime_instance_pre_instantiate,                                        \
    (const wasmtime_instance_pre_t*, wasmtime_context_t*, wasmtime_instance_t*, wasm_trap_t**))  \
  X(bool, wasmtime_instance_export_get,                                                          \
    (wasmtime_context_t*, const wasmtime_instance_t*, const char*, size_t, wasmtime_extern_t*))  \
  X(wasmtime_store_t*, wasmtime_store_new, (wasm_engine_t*, void*, void (*)(void*)))             \
  X(void, wasmtime_store_delete, (wasmtime_store_t*))                                            \
  X(wasmtime_context_t*, wasmtime_store_context, (wasmtime_store_t*))                            \
  X(wasmtime_error_t*, wasmtime_context_set_fuel, (wasmtime_context_t*, uint64_t))               \
  X(wasmtime_error_t*, wasmtime_context_get_fuel, (const wasmtime_context_t*, uint64_t*))        \
  X(void*, wasmtime_context_get_data, (const wasmtime_context_t*))                               \
  X(wasmtime_context_t*, wasmtime_caller_context, (wasmtime_caller_t*))                          \
  X(wasmtime_error_t*, wasmtime_func_call_unchecked,                                             \
    (wasmtime_context_t*, const wasmtime_func_t*, wasmtime_val_raw_t*, size_t, wasm_trap_t**))   \
  X(void, wasmtime_global_get, (wasmtime_context_t*, const wasmtime_global_t*, wasmtime_val_t*)) \
  X(wasm_valtype_t*, wasm_valtype_new, (uint8_t))                                                \
  X(void, wasm_valtype_vec_new, (wasm_valtype_vec_t*, size_t, wasm_valtype_t* const*))           \
  X(wasm_functype_t*, wasm_functype_new, (wasm_valtype_vec_t*, wasm_valtype_vec_t*))             \
  X(void, wasm_functype_delete, (wasm_functype_t*))                                              \
  X(wasm_trap_t*, wasmtime_trap_new, (const char*, size_t))                                      \
  X(bool, wasmtime_trap_code, (const wasm_trap_t*, uint8_t*))                                    \
  X(void, wasm_trap_message, (const wasm_trap_t*, wasm_byte_vec_t*))                             \
  X(void, wasm_trap_delete, (wasm_trap_t*))                                                      \
  X(wasmtime_error_t*, wasmtime_error_new, (const char*))                                        \
  X(void, wasmtime_error_message, (const wasmtime_error_t*, wasm_byte_vec_t*))                   \
  X(void, wasmtime_error_delete, (wasmtime_error_t*))                                            \
  X(void, wasm_byte_vec_delete, (wasm_byte_vec_t*))

// The function table. Filled once per process and never unloaded: wasmtime's signal handlers
// outlive every engine.
struct WasmtimeApi {
#define AZR_DECLARE(result, name, parameters) result(*name) parameters = nullptr;
  AZR_WASMTIME_FUNCTIONS(AZR_DECLARE)
#undef AZR_DECLARE
};

// Opens the library at `path` and returns its function table. Throws std::runtime_error when the
// file or one of the functions is missing. Later calls return the first table.
const WasmtimeApi& load_wasmtime(const std::string& path);

// The text of an error or a trap, which is consumed.
std::string take_message(const WasmtimeApi& api, wasmtime_error_t* error);
std::string take_message(const WasmtimeApi& api, wasm_trap_t* trap);

// Throws std::runtime_error("what: message") unless `error` is null.
void check(const WasmtimeApi& api, const char* what, wasmtime_error_t* error);

}  // namespace azr::executor
