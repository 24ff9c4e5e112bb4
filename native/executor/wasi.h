// The host functions: wasi_snapshot_preview1 and host.call, answered from a GuestIo alone.
#pragma once

#include "executor/wasmtime_api.h"

namespace azr::executor {

// Defines all imports of the guest. A store's data pointer must be its GuestIo.
void define_host_functions(const WasmtimeApi& api, wasmtime_linker_t* linker);

}  // namespace azr::executor
