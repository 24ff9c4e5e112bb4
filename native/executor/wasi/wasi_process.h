// WASI's process: arguments, environment, randomness from a seed, and clocks that are virtual.
#pragma once

#include "executor/wasi/wasi_call.h"

namespace azr::executor::wasi {

int32_t args_get(HostCall& call);
int32_t args_sizes_get(HostCall& call);
int32_t environ_get(HostCall& call);
int32_t environ_sizes_get(HostCall& call);
int32_t random_get(HostCall& call);
int32_t clock_res_get(HostCall& call);
int32_t clock_time_get(HostCall& call);
int32_t poll_oneoff(HostCall& call);
int32_t proc_exit(HostCall& call);

}  // namespace azr::executor::wasi
