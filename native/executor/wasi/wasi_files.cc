#include "executor/wasi/wasi_files.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace azr::executor::wasi {
namespace {

constexpr size_t kMaxStderr = 65536;
constexpr size_t kMaxTrace = 16384;
// POSIX has it too: IOV_MAX.
constexpr uint64_t kMaxVectors = 1024;

bool is_open(GuestIo& io, uint32_t fd) { return fd <= kTmp || file_at(io, fd) != nullptr; }

FileType type_of(GuestIo& io, uint32_t fd) {
  if (fd == kRoot || fd == kTmp) return kDirectory;
  if (fd < kRoot) return kCharacterDevice;
  const OpenFile* file = file_at(io, fd);
  return file->node != nullptr && file->node->is_folder ? kDirectory : kRegularFile;
}

std::string_view contents_of(const GuestIo& io, const OpenFile& file) {
  return file.node == nullptr ? io.zip : std::string_view(file.node->data());
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

// Makes a file of /tmp longer, after paying for it.
Errno grow(HostCall& call, TmpNode& node, uint64_t size) {
  if (size <= node.data().size()) return kOk;
  const uint64_t cap = call.io.tmp.cap;
  if (size > cap) return kNoSpace;
  if (!call.pay_for_bytes(size - node.data().size())) return kFault;
  return node.resize(size, cap) ? kOk : kNoSpace;
}

bool is_writable(const OpenFile* file) {
  return file != nullptr && file->writes && file->node != nullptr && !file->node->is_folder;
}

// Copies the guest's vectors into a file of /tmp at `at`, which moves on.
Errno write_file(HostCall& call, const OpenFile& file, uint64_t& at, uint64_t result) {
  if (!is_writable(&file)) return kBadFd;
  Vectors vectors{call.u32(1), call.u32(2)};
  if (const Errno error = measure(call, vectors); error != kOk) return error;
  if (!call.in_bounds(result, 4)) return kFault;
  uint64_t end = 0;
  if (__builtin_add_overflow(at, vectors.bytes, &end)) return kNoSpace;
  if (vectors.bytes != 0) {
    if (const Errno error = grow(call, *file.node, end); error != kOk) return error;
  }
  if (!call.pay_for_bytes(vectors.bytes)) return kFault;
  for (uint64_t i = 0; i < vectors.count; ++i) {
    const Buffer buffer = buffer_of(call, vectors, i);
    if (buffer.length == 0) continue;
    file.node->write(at, call.memory(buffer.at), buffer.length);
    at += buffer.length;
  }
  call.store<uint32_t>(result, static_cast<uint32_t>(vectors.bytes));
  return kOk;
}

}  // namespace

OpenFile* file_at(GuestIo& io, uint32_t fd) {
  if (fd < kFirstFile || fd - kFirstFile >= io.files.size()) return nullptr;
  OpenFile& file = io.files[fd - kFirstFile];
  return file.is_open ? &file : nullptr;
}

OpenFile* free_file(GuestIo& io, uint32_t* fd) {
  auto& files = io.files;
  auto free = std::find_if(files.begin(), files.end(), [](const auto& f) { return !f.is_open; });
  if (free == files.end()) {
    if (files.size() >= kMaxFiles) return nullptr;
    free = files.insert(files.end(), OpenFile{});
  }
  *free = OpenFile{};
  *fd = kFirstFile + static_cast<uint32_t>(free - files.begin());
  return &*free;
}

int32_t put_filestat(HostCall& call, uint64_t at, FileType type, uint64_t size, uint64_t number) {
  if (!call.in_bounds(at, 64)) return kFault;
  std::memset(call.memory(at), 0, 64);
  call.store<uint64_t>(at + 8, number);
  call.store<uint8_t>(at + 16, type);
  call.store<uint64_t>(at + 24, 1);
  call.store<uint64_t>(at + 32, size);
  return kOk;
}

int32_t put_filestat(HostCall& call, uint64_t at, const TmpNode& node) {
  const FileType type = node.is_folder ? kDirectory : kRegularFile;
  return put_filestat(call, at, type, node.data().size(), node.number);
}

int32_t fd_close(HostCall& call) {
  OpenFile* file = file_at(call.io, call.u32(0));
  if (file == nullptr) return call.u32(0) <= kStderr ? kOk : kBadFd;
  *file = OpenFile{};
  return kOk;
}

int32_t fd_fdstat_get(HostCall& call) {
  const uint32_t fd = call.u32(0);
  if (!is_open(call.io, fd)) return kBadFd;
  const uint64_t at = call.u32(1);
  if (!call.in_bounds(at, 24)) return kFault;
  const OpenFile* file = file_at(call.io, fd);
  std::memset(call.memory(at), 0, 24);
  call.store<uint8_t>(at, type_of(call.io, fd));
  call.store<uint16_t>(at + 2, file != nullptr && file->appends ? 1 : 0);
  call.store<uint64_t>(at + 8, ~uint64_t{0});  // rights: refused where they matter
  call.store<uint64_t>(at + 16, ~uint64_t{0});
  return kOk;
}

int32_t fd_filestat_get(HostCall& call) {
  const uint32_t fd = call.u32(0);
  if (!is_open(call.io, fd)) return kBadFd;
  const OpenFile* file = file_at(call.io, fd);
  if (file != nullptr && file->node != nullptr) {
    return put_filestat(call, call.u32(1), *file->node);
  }
  const FileType type = type_of(call.io, fd);
  return put_filestat(call, call.u32(1), type, file != nullptr ? call.io.zip.size() : 0, type);
}

int32_t fd_filestat_set_size(HostCall& call) {
  OpenFile* file = file_at(call.io, call.u32(0));
  if (!is_writable(file)) return kReadOnly;
  if (call.i64(1) < 0) return kInvalid;
  const auto size = static_cast<uint64_t>(call.i64(1));
  if (size > file->node->data().size()) return grow(call, *file->node, size);
  file->node->resize(size, call.io.tmp.cap);
  return kOk;
}

int32_t fd_filestat_set_times(HostCall& call) {
  return is_writable(file_at(call.io, call.u32(0))) ? kOk : kReadOnly;
}

int32_t fd_allocate(HostCall& call) {
  OpenFile* file = file_at(call.io, call.u32(0));
  if (!is_writable(file)) return kReadOnly;
  int64_t end = 0;
  if (__builtin_add_overflow(call.i64(1), call.i64(2), &end) || call.i64(1) < 0 || end < 0) {
    return kInvalid;
  }
  return grow(call, *file->node, static_cast<uint64_t>(end));
}

int32_t fd_read(HostCall& call) {
  const uint32_t fd = call.u32(0);
  if (fd == kStdin) {
    return read_vectors(call, call.io.stdin_text, call.io.stdin_at, call.u32(1), call.u32(2),
                        call.u32(3));
  }
  if (is_open(call.io, fd) && type_of(call.io, fd) == kDirectory) return kIsDirectory;
  OpenFile* file = file_at(call.io, fd);
  if (file == nullptr || !file->reads) return kBadFd;
  return read_vectors(call, contents_of(call.io, *file), file->at, call.u32(1), call.u32(2),
                      call.u32(3));
}

int32_t fd_pread(HostCall& call) {
  const OpenFile* file = file_at(call.io, call.u32(0));
  if (file == nullptr || !file->reads) return kBadFd;
  auto at = static_cast<uint64_t>(call.i64(3));
  return read_vectors(call, contents_of(call.io, *file), at, call.u32(1), call.u32(2), call.u32(4));
}

int32_t fd_pwrite(HostCall& call) {
  const OpenFile* file = file_at(call.io, call.u32(0));
  if (file == nullptr) return kBadFd;
  if (call.i64(3) < 0) return kInvalid;
  auto at = static_cast<uint64_t>(call.i64(3));
  return write_file(call, *file, at, call.u32(4));
}

int32_t fd_seek(HostCall& call) {
  const uint32_t fd = call.u32(0);
  OpenFile* file = file_at(call.io, fd);
  if (file == nullptr) return fd <= kStderr ? kSeekPipe : kBadFd;
  if (!call.in_bounds(call.u32(3), 8)) return kFault;
  int64_t base = 0;
  if (call.u32(2) == 1) base = static_cast<int64_t>(file->at);
  if (call.u32(2) == 2) base = static_cast<int64_t>(contents_of(call.io, *file).size());
  int64_t to = 0;
  if (__builtin_add_overflow(base, call.i64(1), &to) || to < 0) return kInvalid;
  file->at = static_cast<uint64_t>(to);
  call.store<uint64_t>(call.u32(3), file->at);
  return kOk;
}

int32_t fd_tell(HostCall& call) {
  const OpenFile* file = file_at(call.io, call.u32(0));
  if (file == nullptr) return call.u32(0) <= kStderr ? kSeekPipe : kBadFd;
  if (!call.in_bounds(call.u32(1), 8)) return kFault;
  call.store<uint64_t>(call.u32(1), file->at);
  return kOk;
}

// What passes a stream's cap stops the guest.
int32_t fd_write(HostCall& call) {
  const uint32_t fd = call.u32(0);
  GuestIo& io = call.io;
  if (OpenFile* file = file_at(io, fd)) {
    uint64_t at = file->appends && file->node != nullptr ? file->node->data().size() : file->at;
    const Errno error = write_file(call, *file, at, call.u32(3));
    if (error == kOk) file->at = at;
    return error;
  }
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
    io.trace_at = std::min(io.trace_at, io.error.size());
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
