// One call of the guest into the host, as the functions of wasi_files.h and wasi_process.h see it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "executor/guest_io.h"
#include "executor/slot.h"
#include "executor/wasmtime_api.h"

namespace azr::executor::wasi {

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

// A call's arguments and bounds-checked access to the guest's memory.
class HostCall {
 public:
  HostCall(const WasmtimeApi& table, GuestIo& guest, wasmtime_val_raw_t* values)
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

// Ends the guest: returns the trap that its caller must return.
inline wasm_trap_t* stop(HostCall& call, HostStop why) {
  call.io.stop = why;
  static constexpr std::string_view kMessage = "stopped by the host";
  return call.api.wasmtime_trap_new(kMessage.data(), kMessage.size());
}

}  // namespace azr::executor::wasi
