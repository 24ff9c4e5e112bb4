// WASI's paths: the library's folder, which is read only, and /tmp, which is the run's own.
#pragma once

#include "executor/wasi/wasi_call.h"

namespace azr::executor::wasi {

int32_t fd_prestat_get(HostCall& call);
int32_t fd_prestat_dir_name(HostCall& call);
int32_t fd_readdir(HostCall& call);
int32_t path_create_directory(HostCall& call);
int32_t path_filestat_get(HostCall& call);
int32_t path_filestat_set_times(HostCall& call);
int32_t path_open(HostCall& call);
int32_t path_remove_directory(HostCall& call);
int32_t path_rename(HostCall& call);
int32_t path_unlink_file(HostCall& call);

}  // namespace azr::executor::wasi
