#include "executor/wasi.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "executor/guest_io.h"
#include "executor/slot.h"

namespace azr::executor {
namespace {

// wasi_snapshot_preview1 errno values.
enum Errno : int32_t {
  kOk = 0,
  kBadFd = 8,
  kFault = 21,
  kInvalid = 28,
  kIsDirectory = 31,
  kTooManyFiles = 33,
  kNoEntry = 44,
  kNoSys = 52,
  kNotDirectory = 54,
  kReadOnly = 69,
  kSeekPipe = 70,
};

enum FileType : uint8_t { kCharacterDevice = 2, kDirectory = 3, kRegularFile = 4 };

constexpr uint32_t kStdin = 0;
constexpr uint32_t kStdout = 1;
constexpr uint32_t kStderr = 2;
constexpr uint32_t kRoot = 3;
constexpr uint32_t kFirstFile = 4;
constexpr size_t kMaxFiles = 64;
constexpr size_t kMaxStderr = 65536;
// Bounds of the work of one call, which counts no fuel. POSIX has them too: IOV_MAX, and 256 bytes
// for getentropy().
constexpr uint64_t kMaxVectors = 1024;
constexpr uint32_t kMaxRandomBytes = 65536;
constexpr uint64_t kClockStepNs = 1000;
constexpr std::string_view kRootPath = "/usr/local/lib";
constexpr std::string_view kZipName = "python315.zip";

// One host call: its arguments and bounds-checked access to the guest's memory.
class Call {
 public:
  Call(const WasmtimeApi& table, GuestIo& guest, wasmtime_val_raw_t* values)
      : api(table), io(guest), values_(values) {}

  const WasmtimeApi& api;
  GuestIo& io;

  uint32_t u32(size_t index) const { return static_cast<uint32_t>(values_[index].i32); }
  int64_t i64(size_t index) const { return values_[index].i64; }

  bool in_bounds(uint64_t at, uint64_t count) const { return at + count <= io.slot->size(); }
  uint8_t* memory(uint64_t at) const { return io.slot->base() + at; }

  template <typename T>
  T load(uint64_t at) const {
    T value;
    std::memcpy(&value, memory(at), sizeof(value));
    return value;
  }
  template <typename T>
  void store(uint64_t at, T value) const {
    std::memcpy(memory(at), &value, sizeof(value));
  }

 private:
  wasmtime_val_raw_t* values_;
};

wasm_trap_t* stop(Call& call, HostStop why) {
  call.io.stop = why;
  static constexpr std::string_view kMessage = "stopped by the host";
  return call.api.wasmtime_trap_new(kMessage.data(), kMessage.size());
}

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

int32_t put_filestat(Call& call, uint64_t at, FileType type, uint64_t size) {
  if (!call.in_bounds(at, 64)) return kFault;
  std::memset(call.memory(at), 0, 64);
  call.store<uint64_t>(at + 8, type);  // inode: any stable number
  call.store<uint8_t>(at + 16, type);
  call.store<uint64_t>(at + 24, 1);
  call.store<uint64_t>(at + 32, size);
  return kOk;
}

Errno look_up(Call& call, uint32_t path_at, uint32_t length, FileType* type) {
  if (!call.in_bounds(path_at, length)) return kFault;
  const std::string_view path(reinterpret_cast<const char*>(call.memory(path_at)), length);
  *type = path.empty() || path == "." ? kDirectory : kRegularFile;
  if (*type == kDirectory || path == kZipName) return kOk;
  // A path below the zip must say "not a directory", or zipimport gives up on the zip.
  const bool below_zip =
      path.size() > kZipName.size() && path.starts_with(kZipName) && path[kZipName.size()] == '/';
  return below_zip ? kNotDirectory : kNoEntry;
}

// ---- process

int32_t put_strings(Call& call, const std::vector<std::string>& strings) {
  uint64_t pointers = call.u32(0);
  uint64_t at = call.u32(1);
  if (!call.in_bounds(pointers, 4 * strings.size())) return kFault;
  for (const std::string& text : strings) {
    if (!call.in_bounds(at, text.size() + 1)) return kFault;
    call.store<uint32_t>(pointers, static_cast<uint32_t>(at));
    std::memcpy(call.memory(at), text.c_str(), text.size() + 1);
    pointers += 4;
    at += text.size() + 1;
  }
  return kOk;
}

int32_t put_string_sizes(Call& call, const std::vector<std::string>& strings) {
  if (!call.in_bounds(call.u32(0), 4) || !call.in_bounds(call.u32(1), 4)) return kFault;
  size_t bytes = 0;
  for (const std::string& text : strings) bytes += text.size() + 1;
  call.store<uint32_t>(call.u32(0), static_cast<uint32_t>(strings.size()));
  call.store<uint32_t>(call.u32(1), static_cast<uint32_t>(bytes));
  return kOk;
}

int32_t args_get(Call& call) { return put_strings(call, call.io.arguments); }
int32_t args_sizes_get(Call& call) { return put_string_sizes(call, call.io.arguments); }
int32_t environ_get(Call& call) { return put_strings(call, call.io.environment); }
int32_t environ_sizes_get(Call& call) { return put_string_sizes(call, call.io.environment); }

int32_t random_get(Call& call) {
  const uint32_t at = call.u32(0);
  const uint32_t count = call.u32(1);
  if (count > kMaxRandomBytes) return kInvalid;
  if (!call.in_bounds(at, count)) return kFault;
  uint64_t x = call.io.entropy;
  for (uint32_t i = 0; i < count; ++i) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *call.memory(at + uint64_t{i}) = static_cast<uint8_t>(x >> 24);
  }
  call.io.entropy = x;
  return kOk;
}

int32_t answer_ok(Call&) { return kOk; }
int32_t answer_no_sys(Call&) { return kNoSys; }
int32_t answer_read_only(Call&) { return kReadOnly; }
int32_t answer_bad_fd(Call&) { return kBadFd; }
int32_t answer_no_entry(Call&) { return kNoEntry; }
int32_t answer_minus_one(Call&) { return -1; }

// ---- clocks

int32_t clock_res_get(Call& call) {
  if (!call.in_bounds(call.u32(1), 8)) return kFault;
  call.store<uint64_t>(call.u32(1), kClockStepNs);
  return kOk;
}

int32_t clock_time_get(Call& call) {
  if (!call.in_bounds(call.u32(2), 8)) return kFault;
  call.io.clock_ns += kClockStepNs;
  const uint64_t base = call.u32(0) == 0 ? call.io.epoch_ns : 0;
  call.store<uint64_t>(call.u32(2), base + call.io.clock_ns);
  return kOk;
}

// How long a clock subscription waits; its timeout is absolute when flag 1 says so.
uint64_t timeout_of(const Call& call, uint64_t subscription) {
  const auto timeout = call.load<uint64_t>(subscription + 24);
  if ((call.load<uint16_t>(subscription + 40) & 1) == 0) return timeout;
  const bool is_realtime = call.load<uint32_t>(subscription + 16) == 0;
  const uint64_t now = call.io.clock_ns + (is_realtime ? call.io.epoch_ns : 0);
  return timeout > now ? timeout - now : 0;
}

// Nothing is ever waited for: the earliest timeout passes at once, on the virtual clock.
int32_t poll_oneoff(Call& call) {
  constexpr uint64_t kSubscriptionBytes = 48;
  constexpr uint64_t kEventBytes = 32;
  const uint64_t in = call.u32(0);
  const uint64_t out = call.u32(1);
  const uint64_t count = call.u32(2);
  if (count == 0 || count > 1024) return kInvalid;
  if (!call.in_bounds(in, count * kSubscriptionBytes) ||
      !call.in_bounds(out, count * kEventBytes) || !call.in_bounds(call.u32(3), 4)) {
    return kFault;
  }
  uint64_t wait_ns = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const uint64_t subscription = in + i * kSubscriptionBytes;
    const uint8_t tag = call.load<uint8_t>(subscription + 8);
    if (tag == 0) wait_ns = std::max(wait_ns, timeout_of(call, subscription));
    std::memset(call.memory(out + i * kEventBytes), 0, kEventBytes);
    call.store<uint64_t>(out + i * kEventBytes, call.load<uint64_t>(subscription));
    call.store<uint8_t>(out + i * kEventBytes + 10, tag);
  }
  // Bounded, so that a program cannot make the clock overflow.
  call.io.clock_ns += std::min<uint64_t>(wait_ns, uint64_t{1} << 56);
  call.store<uint32_t>(call.u32(3), static_cast<uint32_t>(count));
  return kOk;
}

// ---- descriptors

int32_t fd_close(Call& call) {
  uint64_t* file = file_at(call.io, call.u32(0));
  if (file == nullptr) return call.u32(0) <= kStderr ? kOk : kBadFd;
  *file = GuestIo::kClosed;
  return kOk;
}

int32_t fd_fdstat_get(Call& call) {
  if (!is_open(call.io, call.u32(0))) return kBadFd;
  const uint64_t at = call.u32(1);
  if (!call.in_bounds(at, 24)) return kFault;
  std::memset(call.memory(at), 0, 24);
  call.store<uint8_t>(at, type_of(call.u32(0)));
  call.store<uint64_t>(at + 8, ~uint64_t{0});  // rights: refused where they matter
  call.store<uint64_t>(at + 16, ~uint64_t{0});
  return kOk;
}

int32_t fd_filestat_get(Call& call) {
  const uint32_t fd = call.u32(0);
  if (!is_open(call.io, fd)) return kBadFd;
  const FileType type = type_of(fd);
  return put_filestat(call, call.u32(1), type, type == kRegularFile ? call.io.zip.size() : 0);
}

int32_t fd_prestat_get(Call& call) {
  if (call.u32(0) != kRoot) return kBadFd;
  if (!call.in_bounds(call.u32(1), 8)) return kFault;
  call.store<uint32_t>(call.u32(1), 0);
  call.store<uint32_t>(call.u32(1) + uint64_t{4}, static_cast<uint32_t>(kRootPath.size()));
  return kOk;
}

int32_t fd_prestat_dir_name(Call& call) {
  if (call.u32(0) != kRoot) return kBadFd;
  const size_t length = std::min<size_t>(call.u32(2), kRootPath.size());
  if (!call.in_bounds(call.u32(1), length)) return kFault;
  std::memcpy(call.memory(call.u32(1)), kRootPath.data(), length);
  return kOk;
}

// Copies from `source` at `at` into the guest's vectors.
int32_t read_vectors(Call& call, std::string_view source, uint64_t& at, uint64_t vectors,
                     uint64_t count, uint64_t result) {
  if (count > kMaxVectors) return kInvalid;
  if (!call.in_bounds(vectors, 8 * count) || !call.in_bounds(result, 4)) return kFault;
  uint64_t total = 0;
  for (uint64_t i = 0; i < count; ++i) {
    const auto to = call.load<uint32_t>(vectors + 8 * i);
    const auto wanted = call.load<uint32_t>(vectors + 8 * i + 4);
    if (!call.in_bounds(to, wanted)) return kFault;
    const uint64_t left = at < source.size() ? source.size() - at : 0;
    const uint64_t length = std::min<uint64_t>(wanted, left);
    if (length > 0) std::memcpy(call.memory(to), source.data() + at, length);
    at += length;
    total += length;
  }
  call.store<uint32_t>(result, static_cast<uint32_t>(total));
  return kOk;
}

int32_t fd_read(Call& call) {
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

int32_t fd_pread(Call& call) {
  if (file_at(call.io, call.u32(0)) == nullptr) return kBadFd;
  auto at = static_cast<uint64_t>(call.i64(3));
  return read_vectors(call, call.io.zip, at, call.u32(1), call.u32(2), call.u32(4));
}

int32_t fd_seek(Call& call) {
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

int32_t fd_tell(Call& call) {
  const uint64_t* file = file_at(call.io, call.u32(0));
  if (file == nullptr) return call.u32(0) <= kStderr ? kSeekPipe : kBadFd;
  if (!call.in_bounds(call.u32(1), 8)) return kFault;
  call.store<uint64_t>(call.u32(1), *file);
  return kOk;
}

int32_t fd_readdir(Call& call) {
  if (!call.in_bounds(call.u32(4), 4)) return kFault;
  call.store<uint32_t>(call.u32(4), 0);
  return kOk;
}

// ---- paths

int32_t path_filestat_get(Call& call) {
  if (call.u32(0) != kRoot) return kBadFd;
  FileType type{};
  const Errno error = look_up(call, call.u32(2), call.u32(3), &type);
  if (error != kOk) return error;
  return put_filestat(call, call.u32(4), type, type == kRegularFile ? call.io.zip.size() : 0);
}

int32_t path_open(Call& call) {
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

// ---- writing: the only calls that can stop the guest

struct Vectors {
  uint64_t at;
  uint64_t count;
  uint64_t bytes;
};

bool measure(const Call& call, Vectors& vectors) {
  if (!call.in_bounds(vectors.at, 8 * vectors.count)) return false;
  vectors.bytes = 0;
  for (uint64_t i = 0; i < vectors.count; ++i) {
    const auto from = call.load<uint32_t>(vectors.at + 8 * i);
    const auto length = call.load<uint32_t>(vectors.at + 8 * i + 4);
    if (!call.in_bounds(from, length)) return false;
    vectors.bytes += length;
  }
  return true;
}

void append(const Call& call, const Vectors& vectors, std::string& out, size_t cap) {
  for (uint64_t i = 0; i < vectors.count; ++i) {
    const auto from = call.load<uint32_t>(vectors.at + 8 * i);
    const auto length = call.load<uint32_t>(vectors.at + 8 * i + 4);
    const size_t room = cap > out.size() ? cap - out.size() : 0;
    out.append(reinterpret_cast<const char*>(call.memory(from)), std::min<size_t>(length, room));
  }
}

wasm_trap_t* fd_write(Call& call, int32_t& error) {
  const uint32_t fd = call.u32(0);
  GuestIo& io = call.io;
  Vectors vectors{call.u32(1), call.u32(2), 0};
  error = kBadFd;
  if (fd != kStdout && fd != kStderr && fd != kReplyFd) return nullptr;
  error = kInvalid;
  if (vectors.count > kMaxVectors) return nullptr;
  error = kFault;
  if (!measure(call, vectors) || !call.in_bounds(call.u32(3), 4)) return nullptr;
  error = kOk;
  if (fd == kStdout) {
    if (vectors.bytes > io.stdout_cap - io.out.size()) io.stop = HostStop::kStdoutFull;
    append(call, vectors, io.out, io.stdout_cap);
  } else if (fd == kStderr) {
    append(call, vectors, io.error, kMaxStderr);
  } else {
    ++io.reply_writes;
    if (io.reply.size() + vectors.bytes > io.reply_cap) return stop(call, HostStop::kReplyFull);
    append(call, vectors, io.reply, io.reply_cap);
  }
  call.store<uint32_t>(call.u32(3), static_cast<uint32_t>(vectors.bytes));
  return nullptr;
}

wasm_trap_t* proc_exit(Call& call, int32_t&) {
  call.io.exit_code = static_cast<int32_t>(call.u32(0));
  return stop(call, HostStop::kExited);
}

using Handler = int32_t (*)(Call&);
using StoppingHandler = wasm_trap_t* (*)(Call&, int32_t&);

struct HostFunction {
  const char* name;
  const char* signature;  // i: i32, I: i64; all but proc_exit return one i32
  Handler handler;
  StoppingHandler stopping = nullptr;
};

constexpr std::array kHostFunctions{
    HostFunction{"call", "iiii", answer_minus_one},
    HostFunction{"args_get", "ii", args_get},
    HostFunction{"args_sizes_get", "ii", args_sizes_get},
    HostFunction{"environ_get", "ii", environ_get},
    HostFunction{"environ_sizes_get", "ii", environ_sizes_get},
    HostFunction{"clock_res_get", "ii", clock_res_get},
    HostFunction{"clock_time_get", "iIi", clock_time_get},
    HostFunction{"fd_advise", "iIIi", answer_ok},
    HostFunction{"fd_allocate", "iII", answer_read_only},
    HostFunction{"fd_close", "i", fd_close},
    HostFunction{"fd_datasync", "i", answer_ok},
    HostFunction{"fd_fdstat_get", "ii", fd_fdstat_get},
    HostFunction{"fd_fdstat_set_flags", "ii", answer_ok},
    HostFunction{"fd_filestat_get", "ii", fd_filestat_get},
    HostFunction{"fd_filestat_set_size", "iI", answer_read_only},
    HostFunction{"fd_filestat_set_times", "iIIi", answer_read_only},
    HostFunction{"fd_pread", "iiiIi", fd_pread},
    HostFunction{"fd_prestat_get", "ii", fd_prestat_get},
    HostFunction{"fd_prestat_dir_name", "iii", fd_prestat_dir_name},
    HostFunction{"fd_pwrite", "iiiIi", answer_bad_fd},
    HostFunction{"fd_read", "iiii", fd_read},
    HostFunction{"fd_readdir", "iiiIi", fd_readdir},
    HostFunction{"fd_seek", "iIii", fd_seek},
    HostFunction{"fd_sync", "i", answer_ok},
    HostFunction{"fd_tell", "ii", fd_tell},
    HostFunction{"fd_write", "iiii", nullptr, fd_write},
    HostFunction{"path_create_directory", "iii", answer_read_only},
    HostFunction{"path_filestat_get", "iiiii", path_filestat_get},
    HostFunction{"path_filestat_set_times", "iiiiIIi", answer_read_only},
    HostFunction{"path_link", "iiiiiii", answer_read_only},
    HostFunction{"path_open", "iiiiiIIii", path_open},
    HostFunction{"path_readlink", "iiiiii", answer_no_entry},
    HostFunction{"path_remove_directory", "iii", answer_read_only},
    HostFunction{"path_rename", "iiiiii", answer_read_only},
    HostFunction{"path_symlink", "iiiii", answer_read_only},
    HostFunction{"path_unlink_file", "iii", answer_read_only},
    HostFunction{"poll_oneoff", "iiii", poll_oneoff},
    HostFunction{"proc_exit", "i", nullptr, proc_exit},
    HostFunction{"sched_yield", "", answer_ok},
    HostFunction{"random_get", "ii", random_get},
    HostFunction{"sock_accept", "iii", answer_no_sys},
    HostFunction{"sock_recv", "iiiiii", answer_no_sys},
    HostFunction{"sock_send", "iiiii", answer_no_sys},
    HostFunction{"sock_shutdown", "ii", answer_no_sys},
};

const WasmtimeApi* g_api = nullptr;  // set once, before the first callback can run

wasm_trap_t* answer(const HostFunction& function, Call& call, wasmtime_val_raw_t* values) {
  int32_t result = kOk;
  wasm_trap_t* trap = nullptr;
  if (function.stopping != nullptr) {
    trap = function.stopping(call, result);
    if (trap == nullptr && call.io.stop != HostStop::kNone) trap = stop(call, call.io.stop);
  } else {
    result = function.handler(call);
  }
  values[0].i32 = result;
  return trap;
}

wasm_trap_t* dispatch(void* env, wasmtime_caller_t* caller, wasmtime_val_raw_t* values, size_t) {
  // The linker was given a pointer into kHostFunctions as the environment.
  const auto& function = *static_cast<const HostFunction*>(env);
  void* data = g_api->wasmtime_context_get_data(g_api->wasmtime_caller_context(caller));
  Call call(*g_api, *static_cast<GuestIo*>(data), values);
  return answer(function, call, values);
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
  const bool returns = function.stopping != proc_exit;
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
  Call call(api, io, values);
  return answer(kHostFunctions.at(index), call, values);
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
