// One call of the guest into the host, as the functions of wasi_files.h and wasi_process.h see it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "executor/engine/guest_io.h"
#include "executor/engine/wasmtime_api.h"
#include "executor/memory/slot.h"
#include "executor/wasi/wasi_price.h"

namespace azr::executor::wasi {

// wasi_snapshot_preview1 errno values.
enum Errno : int32_t {
  kOk = 0,
  kBadFd = 8,
  kExists = 20,
  kFault = 21,
  kInvalid = 28,
  kIsDirectory = 31,
  kTooManyFiles = 33,
  kNameTooLong = 37,
  kNoEntry = 44,
  kNoSpace = 51,
  kNoSys = 52,
  kNotDirectory = 54,
  kNotEmpty = 55,
  kReadOnly = 69,
  kSeekPipe = 70,
  kNotCapable = 76,
};

// A call's arguments, its price, and bounds-checked access to the guest's memory.
class HostCall {
 public:
  // `fuel` is the context of a store that counts fuel, or null.
  HostCall(const WasmtimeApi& table, GuestIo& guest, wasmtime_val_raw_t* values,
           const Price& its_price, wasmtime_context_t* fuel)
      : api(table), io(guest), price(its_price), values_(values), fuel_(fuel) {}

  const WasmtimeApi& api;
  GuestIo& io;
  const Price& price;

  // Takes fuel for work, before it is done. False when too little is left: the guest is stopped,
  // and the work must not be done.
  bool pay(uint64_t fuel) {
    if (fuel_ == nullptr || fuel == 0) return true;
    uint64_t left = 0;
    api.wasmtime_context_get_fuel(fuel_, &left);
    const bool is_enough = fuel <= left;
    api.wasmtime_context_set_fuel(fuel_, is_enough ? left - fuel : 0);
    if (!is_enough) io.stop = HostStop::kOutOfFuel;
    return is_enough;
  }
  bool pay_for_items(uint64_t count) { return pay(count * price.per_item); }
  bool pay_for_bytes(uint64_t count) { return pay(count * price.per_byte); }
  // For what the guest has added to its memory since it last called: wasmtime keeps the fuel in a
  // register while the memory grows, so it is paid for at the next call, at the reply at the
  // latest.
  bool pay_for_growth() {
    const uint64_t grown = io.slot->size() - io.paid_size;
    io.paid_size += grown;
    return pay(grown / kGrownBytesPerFuel);
  }

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
  wasmtime_context_t* fuel_;
};

// What ends the guest after GuestIo::stop was set.
inline wasm_trap_t* make_trap(const WasmtimeApi& api) {
  static constexpr std::string_view kMessage = "stopped by the host";
  return api.wasmtime_trap_new(kMessage.data(), kMessage.size());
}

}  // namespace azr::executor::wasi
