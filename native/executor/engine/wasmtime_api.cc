#include "executor/engine/wasmtime_api.h"

#include <dlfcn.h>

#include <mutex>
#include <stdexcept>

namespace azr::executor {
namespace {

template <typename Function>
void resolve(void* library, const char* name, Function& slot) {
  void* symbol = dlsym(library, name);
  if (symbol == nullptr) {
    throw std::runtime_error(std::string("this wasmtime lacks ") + name);
  }
  // dlsym returns a data pointer by definition of POSIX; it is a function of this type.
  slot = reinterpret_cast<Function>(symbol);
}

std::string take_bytes(const WasmtimeApi& api, wasm_byte_vec_t& bytes) {
  std::string text(bytes.data, bytes.size);
  api.wasm_byte_vec_delete(&bytes);
  return text;
}

}  // namespace

const WasmtimeApi& load_wasmtime(const std::string& path) {
  static std::mutex mutex;
  static WasmtimeApi api;
  static bool loaded = false;
  const std::lock_guard<std::mutex> lock(mutex);
  if (!loaded) {
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      throw std::runtime_error(std::string("cannot load wasmtime: ") + dlerror());
    }
#define AZR_RESOLVE(result, name, parameters) resolve(library, #name, api.name);
    AZR_WASMTIME_FUNCTIONS(AZR_RESOLVE)
#undef AZR_RESOLVE
    loaded = true;
  }
  return api;
}

std::string take_message(const WasmtimeApi& api, wasmtime_error_t* error) {
  wasm_byte_vec_t bytes{};
  api.wasmtime_error_message(error, &bytes);
  api.wasmtime_error_delete(error);
  return take_bytes(api, bytes);
}

std::string take_message(const WasmtimeApi& api, wasm_trap_t* trap) {
  wasm_byte_vec_t bytes{};
  api.wasm_trap_message(trap, &bytes);
  api.wasm_trap_delete(trap);
  return take_bytes(api, bytes);
}

void check(const WasmtimeApi& api, const char* what, wasmtime_error_t* error) {
  if (error != nullptr) {
    throw std::runtime_error(std::string(what) + ": " + take_message(api, error));
  }
}

}  // namespace azr::executor
