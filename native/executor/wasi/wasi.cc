// The table of the guest's imports, and how a call finds its row and pays for it.
#include "executor/wasi/wasi.h"

#include <array>
#include <new>
#include <string_view>

#include "executor/wasi/wasi_call.h"
#include "executor/wasi/wasi_files.h"
#include "executor/wasi/wasi_paths.h"
#include "executor/wasi/wasi_price.h"
#include "executor/wasi/wasi_process.h"

namespace azr::executor {
namespace {

using namespace wasi;  // NOLINT(google-build-using-namespace): the table names all of it

int32_t answer_ok(HostCall&) { return kOk; }
int32_t answer_no_sys(HostCall&) { return kNoSys; }
int32_t answer_read_only(HostCall&) { return kReadOnly; }
int32_t answer_no_entry(HostCall&) { return kNoEntry; }
int32_t answer_minus_one(HostCall&) { return -1; }

using Handler = int32_t (*)(HostCall&);

struct HostFunction {
  const char* name;
  const char* signature;  // i: i32, I: i64; all but proc_exit return one i32
  Handler handler;
  Price price = kCall;
};

constexpr std::array kHostFunctions{
    HostFunction{"call", "iiii", answer_minus_one},
    HostFunction{"args_get", "ii", args_get, kCopying},
    HostFunction{"args_sizes_get", "ii", args_sizes_get},
    HostFunction{"environ_get", "ii", environ_get, kCopying},
    HostFunction{"environ_sizes_get", "ii", environ_sizes_get},
    HostFunction{"clock_res_get", "ii", clock_res_get},
    HostFunction{"clock_time_get", "iIi", clock_time_get},
    HostFunction{"fd_advise", "iIIi", answer_ok},
    HostFunction{"fd_allocate", "iII", fd_allocate, kCopying},
    HostFunction{"fd_close", "i", fd_close},
    HostFunction{"fd_datasync", "i", answer_ok},
    HostFunction{"fd_fdstat_get", "ii", fd_fdstat_get},
    HostFunction{"fd_fdstat_set_flags", "ii", answer_ok},
    HostFunction{"fd_filestat_get", "ii", fd_filestat_get},
    HostFunction{"fd_filestat_set_size", "iI", fd_filestat_set_size, kCopying},
    HostFunction{"fd_filestat_set_times", "iIIi", fd_filestat_set_times},
    HostFunction{"fd_pread", "iiiIi", fd_pread, kCopying},
    HostFunction{"fd_prestat_get", "ii", fd_prestat_get},
    HostFunction{"fd_prestat_dir_name", "iii", fd_prestat_dir_name},
    HostFunction{"fd_pwrite", "iiiIi", fd_pwrite, kCopying},
    HostFunction{"fd_read", "iiii", fd_read, kCopying},
    HostFunction{"fd_readdir", "iiiIi", fd_readdir, kCopying},
    HostFunction{"fd_seek", "iIii", fd_seek},
    HostFunction{"fd_sync", "i", answer_ok},
    HostFunction{"fd_tell", "ii", fd_tell},
    HostFunction{"fd_write", "iiii", fd_write, kCopying},
    HostFunction{"path_create_directory", "iii", path_create_directory, kNaming},
    HostFunction{"path_filestat_get", "iiiii", path_filestat_get, kNaming},
    HostFunction{"path_filestat_set_times", "iiiiIIi", path_filestat_set_times, kNaming},
    HostFunction{"path_link", "iiiiiii", answer_read_only},
    HostFunction{"path_open", "iiiiiIIii", path_open, kNaming},
    HostFunction{"path_readlink", "iiiiii", answer_no_entry},
    HostFunction{"path_remove_directory", "iii", path_remove_directory, kNaming},
    HostFunction{"path_rename", "iiiiii", path_rename, kNaming},
    HostFunction{"path_symlink", "iiiii", answer_read_only},
    HostFunction{"path_unlink_file", "iii", path_unlink_file, kNaming},
    HostFunction{"poll_oneoff", "iiii", poll_oneoff, kPolling},
    HostFunction{"proc_exit", "i", proc_exit},
    HostFunction{"sched_yield", "", answer_ok},
    HostFunction{"random_get", "ii", random_get, kDrawing},
    HostFunction{"sock_accept", "iii", answer_no_sys},
    HostFunction{"sock_recv", "iiiiii", answer_no_sys},
    HostFunction{"sock_send", "iiiii", answer_no_sys},
    HostFunction{"sock_shutdown", "ii", answer_no_sys},
};

const WasmtimeApi* g_api = nullptr;  // set once, before the first callback can run

wasm_trap_t* answer(const HostFunction& function, HostCall& call, wasmtime_val_raw_t* values) {
  int32_t result = kOk;
  if (call.pay_for_growth() && call.pay(call.price.call)) result = function.handler(call);
  values[0].i32 = result;
  return call.io.stop == HostStop::kNone ? nullptr : make_trap(call.api);
}

wasm_trap_t* dispatch(void* env, wasmtime_caller_t* caller, wasmtime_val_raw_t* values, size_t) {
  // The linker was given a pointer into kHostFunctions as the environment.
  const auto& function = *static_cast<const HostFunction*>(env);
  wasmtime_context_t* context = g_api->wasmtime_caller_context(caller);
  auto& io = *static_cast<GuestIo*>(g_api->wasmtime_context_get_data(context));
  HostCall call(*g_api, io, values, function.price, io.counts_fuel ? context : nullptr);
  try {
    return answer(function, call, values);
  } catch (const std::bad_alloc&) {  // must not unwind through wasmtime
    io.stop = HostStop::kNoMemory;
    return make_trap(*g_api);
  }
}

wasm_functype_t* make_type(const WasmtimeApi& api, const HostFunction& function) {
  std::array<wasm_valtype_t*, 16> types{};
  size_t count = 0;
  for (const char* c = function.signature; *c != '\0'; ++c) {
    types.at(count++) = api.wasm_valtype_new(*c == 'i' ? kWasmI32 : kWasmI64);
  }
  wasm_valtype_vec_t parameters{};
  wasm_valtype_vec_t results{};
  api.wasm_valtype_vec_new(&parameters, count, types.data());
  const bool returns = function.handler != proc_exit;
  types[0] = returns ? api.wasm_valtype_new(kWasmI32) : nullptr;
  api.wasm_valtype_vec_new(&results, returns ? 1 : 0, types.data());
  return api.wasm_functype_new(&parameters, &results);
}

}  // namespace

std::vector<HostImport> host_imports() {
  std::vector<HostImport> imports;
  for (const HostFunction& function : kHostFunctions) {
    imports.push_back({function.name, function.signature});
  }
  return imports;
}

wasm_trap_t* call_host_import(const WasmtimeApi& api, size_t index, GuestIo& io,
                              wasmtime_val_raw_t* values) {
  const HostFunction& function = kHostFunctions.at(index);
  HostCall call(api, io, values, function.price, nullptr);
  return answer(function, call, values);
}

void define_host_functions(const WasmtimeApi& api, wasmtime_linker_t* linker) {
  g_api = &api;
  for (const HostFunction& function : kHostFunctions) {
    const std::string_view name(function.name);
    const std::string_view module = name == "call" ? "host" : "wasi_snapshot_preview1";
    wasm_functype_t* type = make_type(api, function);
    wasmtime_error_t* error = api.wasmtime_linker_define_func_unchecked(
        linker, module.data(), module.size(), name.data(), name.size(), type, dispatch,
        const_cast<HostFunction*>(&function), nullptr);
    api.wasm_functype_delete(type);
    check(api, function.name, error);
  }
}

}  // namespace azr::executor
