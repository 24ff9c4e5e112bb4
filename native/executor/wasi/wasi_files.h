// WASI's descriptors and paths: three streams, a reply, one directory and in it one file to read.
#pragma once

#include "executor/wasi/wasi_call.h"

namespace azr::executor::wasi {

int32_t fd_close(HostCall& call);
int32_t fd_fdstat_get(HostCall& call);
int32_t fd_filestat_get(HostCall& call);
int32_t fd_prestat_get(HostCall& call);
int32_t fd_prestat_dir_name(HostCall& call);
int32_t fd_read(HostCall& call);
int32_t fd_pread(HostCall& call);
int32_t fd_seek(HostCall& call);
int32_t fd_tell(HostCall& call);
int32_t fd_readdir(HostCall& call);
int32_t path_filestat_get(HostCall& call);
int32_t path_open(HostCall& call);
int32_t fd_write(HostCall& call);

}  // namespace azr::executor::wasi
