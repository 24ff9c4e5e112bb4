// The host functions: wasi_snapshot_preview1 and host.call, answered from a GuestIo alone.
#pragma once

#include <cstddef>
#include <vector>

#include "executor/engine/guest_io.h"
#include "executor/engine/wasmtime_api.h"

namespace azr::executor {

// Defines all imports of the guest. A store's data pointer must be its GuestIo.
void define_host_functions(const WasmtimeApi& api, wasmtime_linker_t* linker);

// The same functions without a guest, in the order of host_imports(): what a fuzzer calls.
struct HostImport {
  const char* name;
  const char* signature;  // i: i32, I: i64
};
std::vector<HostImport> host_imports();
// `values` has room for the arguments and for one result, and io.slot is set. Of `api` only
// wasmtime_trap_new is used; returns the trap that would end the guest, or null.
wasm_trap_t* call_host_import(const WasmtimeApi& api, size_t index, GuestIo& io,
                              wasmtime_val_raw_t* values);

}  // namespace azr::executor
