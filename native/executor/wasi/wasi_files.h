// WASI's descriptors: three streams, a reply, two folders, and files that are open.
#pragma once

#include "executor/wasi/wasi_call.h"

namespace azr::executor::wasi {

enum FileType : uint8_t { kCharacterDevice = 2, kDirectory = 3, kRegularFile = 4 };

constexpr uint32_t kStdin = 0;
constexpr uint32_t kStdout = 1;
constexpr uint32_t kStderr = 2;
constexpr uint32_t kRoot = 3;
constexpr uint32_t kTmp = 4;
constexpr uint32_t kFirstFile = 5;
constexpr size_t kMaxFiles = 64;

// The open file behind a descriptor, or null.
OpenFile* file_at(GuestIo& io, uint32_t fd);
// A place for one more, which is not open yet; null when there are too many.
OpenFile* free_file(GuestIo& io, uint32_t* fd);
// Writes a filestat; `number` tells files from each other.
int32_t put_filestat(HostCall& call, uint64_t at, FileType type, uint64_t size, uint64_t number);
int32_t put_filestat(HostCall& call, uint64_t at, const TmpNode& node);

int32_t fd_allocate(HostCall& call);
int32_t fd_close(HostCall& call);
int32_t fd_fdstat_get(HostCall& call);
int32_t fd_filestat_get(HostCall& call);
int32_t fd_filestat_set_size(HostCall& call);
int32_t fd_filestat_set_times(HostCall& call);
int32_t fd_pread(HostCall& call);
int32_t fd_pwrite(HostCall& call);
int32_t fd_read(HostCall& call);
int32_t fd_seek(HostCall& call);
int32_t fd_tell(HostCall& call);
int32_t fd_write(HostCall& call);

}  // namespace azr::executor::wasi
