#include "executor/wasi/wasi_files.h"

#include <algorithm>
#include <string>

namespace azr::executor::wasi {
namespace {

enum FileType : uint8_t { kCharacterDevice = 2, kDirectory = 3, kRegularFile = 4 };

constexpr uint32_t kStdin = 0;
constexpr uint32_t kStdout = 1;
constexpr uint32_t kStderr = 2;
constexpr uint32_t kRoot = 3;
constexpr uint32_t kFirstFile = 4;
constexpr size_t kMaxFiles = 64;
constexpr size_t kMaxStderr = 65536;
constexpr size_t kMaxTrace = 16384;
// POSIX has it too: IOV_MAX.
constexpr uint64_t kMaxVectors = 1024;
constexpr std::string_view kRootPath = "/usr/local/lib";
constexpr std::string_view kZipName = "python315.zip";

uint64_t* file_at(GuestIo& io, uint32_t fd) {
  if (fd < kFirstFile || fd - kFirstFile >= io.files.size()) return nullptr;
  uint64_t& at = io.files[fd - kFirstFile];
  return at == GuestIo::kClosed ? nullptr : &at;
}

bool is_open(GuestIo& io, uint32_t fd) { return fd <= kRoot || file_at(io, fd) != nullptr; }

FileType type_of(uint32_t fd) {
  if (fd == kRoot) return kDirectory;
  return fd < kRoot ? kCharacterDevice : kRegularFile;
}

int32_t put_filestat(HostCall& call, uint64_t at, FileType type, uint64_t size) {
  if (!call.in_bounds(at, 64)) return kFault;
  std::memset(call.memory(at), 0, 64);
  call.store<uint64_t>(at + 8, type);  // inode: any stable number
  call.store<uint8_t>(at + 16, type);
  call.store<uint64_t>(at + 24, 1);
  call.store<uint64_t>(at + 32, size);
  return kOk;
}

Errno look_up(HostCall& call, uint32_t path_at, uint32_t length, FileType* type) {
  if (!call.in_bounds(path_at, length)) return kFault;
  const std::string_view path(reinterpret_cast<const char*>(call.memory(path_at)), length);
  *type = path.empty() || path == "." ? kDirectory : kRegularFile;
  if (*type == kDirectory || path == kZipName) return kOk;
  // A path below the zip must say "not a directory", or zipimport gives up on the zip.
  const bool below_zip =
      path.size() > kZipName.size() && path.starts_with(kZipName) && path[kZipName.size()] == '/';
  return below_zip ? kNotDirectory : kNoEntry;
}

struct Vectors {
  uint64_t at;
  uint64_t count;
  uint64_t bytes = 0;
};

struct Buffer {
  uint32_t at;
  uint32_t length;
};

Buffer buffer_of(const HostCall& call, const Vectors& vectors, uint64_t index) {
  const uint64_t at = vectors.at + 8 * index;
  return {call.load<uint32_t>(at), call.load<uint32_t>(at + 4)};
}

// Pays for the vectors and adds up what they hold or have room for.
Errno measure(HostCall& call, Vectors& vectors) {
  if (vectors.count > kMaxVectors) return kInvalid;
  if (!call.pay_for_items(vectors.count)) return kFault;
  if (!call.in_bounds(vectors.at, 8 * vectors.count)) return kFault;
  for (uint64_t i = 0; i < vectors.count; ++i) {
    const Buffer buffer = buffer_of(call, vectors, i);
    if (!call.in_bounds(buffer.at, buffer.length)) return kFault;
    vectors.bytes += buffer.length;
  }
  return kOk;
}

// Copies from `source` at `at` into the guest's vectors.
int32_t read_vectors(HostCall& call, std::string_view source, uint64_t& at, uint64_t vectors_at,
                     uint64_t count, uint64_t result) {
  Vectors vectors{vectors_at, count};
  if (const Errno error = measure(call, vectors); error != kOk) return error;
  if (!call.in_bounds(result, 4)) return kFault;
  const uint64_t left = at < source.size() ? source.size() - at : 0;
  const uint64_t paid = std::min<uint64_t>(vectors.bytes, left);
  if (!call.pay_for_bytes(paid)) return kFault;
  uint64_t total = 0;
  for (uint64_t i = 0; i < vectors.count && total < paid; ++i) {
    // Read and checked again: the copies before may have changed it.
    const Buffer buffer = buffer_of(call, vectors, i);
    if (!call.in_bounds(buffer.at, buffer.length)) return kFault;
    const uint64_t length = std::min<uint64_t>(buffer.length, paid - total);
    std::memcpy(call.memory(buffer.at), source.data() + at, length);
    at += length;
    total += length;
  }
  call.store<uint32_t>(result, static_cast<uint32_t>(total));
  return kOk;
}

// Appends to `out` up to its cap, after paying for it; false when the fuel does not suffice.
bool append(HostCall& call, const Vectors& vectors, std::string& out, size_t cap) {
  const size_t room = cap > out.size() ? cap - out.size() : 0;
  if (!call.pay_for_bytes(std::min<uint64_t>(vectors.bytes, room))) return false;
  for (uint64_t i = 0; i < vectors.count && out.size() < cap; ++i) {
    const Buffer buffer = buffer_of(call, vectors, i);
    const size_t length = std::min<size_t>(buffer.length, cap - out.size());
    out.append(reinterpret_cast<const char*>(call.memory(buffer.at)), length);
  }
  return true;
}

}  // namespace

// ---- descriptors

int32_t fd_close(HostCall& call) {
  uint64_t* file = file_at(call.io, call.u32(0));
  if (file == nullptr) return call.u32(0) <= kStderr ? kOk : kBadFd;
  *file = GuestIo::kClosed;
  return kOk;
}

int32_t fd_fdstat_get(HostCall& call) {
  if (!is_open(call.io, call.u32(0))) return kBadFd;
  const uint64_t at = call.u32(1);
  if (!call.in_bounds(at, 24)) return kFault;
  std::memset(call.memory(at), 0, 24);
  call.store<uint8_t>(at, type_of(call.u32(0)));
  call.store<uint64_t>(at + 8, ~uint64_t{0});  // rights: refused where they matter
  call.store<uint64_t>(at + 16, ~uint64_t{0});
  return kOk;
}

int32_t fd_filestat_get(HostCall& call) {
  const uint32_t fd = call.u32(0);
  if (!is_open(call.io, fd)) return kBadFd;
  const FileType type = type_of(fd);
  return put_filestat(call, call.u32(1), type, type == kRegularFile ? call.io.zip.size() : 0);
}

int32_t fd_prestat_get(HostCall& call) {
  if (call.u32(0) != kRoot) return kBadFd;
  if (!call.in_bounds(call.u32(1), 8)) return kFault;
  call.store<uint32_t>(call.u32(1), 0);
  call.store<uint32_t>(call.u32(1) + uint64_t{4}, static_cast<uint32_t>(kRootPath.size()));
  return kOk;
}

int32_t fd_prestat_dir_name(HostCall& call) {
  if (call.u32(0) != kRoot) return kBadFd;
  const size_t length = std::min<size_t>(call.u32(2), kRootPath.size());
  if (!call.in_bounds(call.u32(1), length)) return kFault;
  std::memcpy(call.memory(call.u32(1)), kRootPath.data(), length);
  return kOk;
}

int32_t fd_read(HostCall& call) {
  const uint32_t fd = call.u32(0);
  if (fd == kStdin) {
    return read_vectors(call, call.io.stdin_text, call.io.stdin_at, call.u32(1), call.u32(2),
                        call.u32(3));
  }
  if (fd == kRoot) return kIsDirectory;
  uint64_t* file = file_at(call.io, fd);
  if (file == nullptr) return kBadFd;
  return read_vectors(call, call.io.zip, *file, call.u32(1), call.u32(2), call.u32(3));
}

int32_t fd_pread(HostCall& call) {
  if (file_at(call.io, call.u32(0)) == nullptr) return kBadFd;
  auto at = static_cast<uint64_t>(call.i64(3));
  return read_vectors(call, call.io.zip, at, call.u32(1), call.u32(2), call.u32(4));
}

int32_t fd_seek(HostCall& call) {
  const uint32_t fd = call.u32(0);
  uint64_t* file = file_at(call.io, fd);
  if (file == nullptr) return fd <= kStderr ? kSeekPipe : kBadFd;
  if (!call.in_bounds(call.u32(3), 8)) return kFault;
  int64_t base = 0;
  if (call.u32(2) == 1) base = static_cast<int64_t>(*file);
  if (call.u32(2) == 2) base = static_cast<int64_t>(call.io.zip.size());
  int64_t to = 0;
  if (__builtin_add_overflow(base, call.i64(1), &to) || to < 0) return kInvalid;
  *file = static_cast<uint64_t>(to);
  call.store<uint64_t>(call.u32(3), *file);
  return kOk;
}

int32_t fd_tell(HostCall& call) {
  const uint64_t* file = file_at(call.io, call.u32(0));
  if (file == nullptr) return call.u32(0) <= kStderr ? kSeekPipe : kBadFd;
  if (!call.in_bounds(call.u32(1), 8)) return kFault;
  call.store<uint64_t>(call.u32(1), *file);
  return kOk;
}

int32_t fd_readdir(HostCall& call) {
  if (!call.in_bounds(call.u32(4), 4)) return kFault;
  call.store<uint32_t>(call.u32(4), 0);
  return kOk;
}

// ---- paths

int32_t path_filestat_get(HostCall& call) {
  if (call.u32(0) != kRoot) return kBadFd;
  FileType type{};
  const Errno error = look_up(call, call.u32(2), call.u32(3), &type);
  if (error != kOk) return error;
  return put_filestat(call, call.u32(4), type, type == kRegularFile ? call.io.zip.size() : 0);
}

int32_t path_open(HostCall& call) {
  constexpr uint32_t kCreate = 1;
  constexpr uint32_t kExclusive = 4;
  constexpr uint32_t kTruncate = 8;
  if (call.u32(0) != kRoot) return kBadFd;
  constexpr int64_t kRightToWrite = 1 << 6;
  if ((call.u32(4) & (kCreate | kExclusive | kTruncate)) != 0) return kReadOnly;
  if ((call.i64(5) & kRightToWrite) != 0) return kReadOnly;
  FileType type{};
  const Errno error = look_up(call, call.u32(2), call.u32(3), &type);
  if (error != kOk) return error;
  if (!call.in_bounds(call.u32(8), 4)) return kFault;
  if (type == kDirectory) return kIsDirectory;
  auto& files = call.io.files;
  auto free = std::find(files.begin(), files.end(), GuestIo::kClosed);
  if (free == files.end()) {
    if (files.size() >= kMaxFiles) return kTooManyFiles;
    free = files.insert(files.end(), 0);
  }
  *free = 0;
  call.store<uint32_t>(call.u32(8), kFirstFile + static_cast<uint32_t>(free - files.begin()));
  return kOk;
}

// ---- writing: what passes a cap stops the guest

int32_t fd_write(HostCall& call) {
  const uint32_t fd = call.u32(0);
  GuestIo& io = call.io;
  if (fd != kStdout && fd != kStderr && fd != kReplyFd && fd != kTraceFd) return kBadFd;
  Vectors vectors{call.u32(1), call.u32(2)};
  if (const Errno error = measure(call, vectors); error != kOk) return error;
  if (!call.in_bounds(call.u32(3), 4)) return kFault;
  if (fd == kStdout) {
    const bool is_full = vectors.bytes > io.stdout_cap - io.out.size();
    if (append(call, vectors, io.out, io.stdout_cap) && is_full) io.stop = HostStop::kStdoutFull;
  } else if (fd == kStderr) {
    append(call, vectors, io.error, kMaxStderr);
  } else if (fd == kTraceFd) {
    append(call, vectors, io.error, kMaxStderr + kMaxTrace);
  } else {
    ++io.reply_writes;
    if (io.reply.size() + vectors.bytes > io.reply_cap) {
      io.stop = HostStop::kReplyFull;
    } else if (call.pay(vectors.bytes * kFuelPerReplyByte)) {
      append(call, vectors, io.reply, io.reply_cap);
    }
  }
  call.store<uint32_t>(call.u32(3), static_cast<uint32_t>(vectors.bytes));
  return kOk;
}

}  // namespace azr::executor::wasi
