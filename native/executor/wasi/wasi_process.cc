#include "executor/wasi/wasi_process.h"

#include <algorithm>
#include <string>
#include <vector>

namespace azr::executor::wasi {
namespace {

// POSIX has it too: getentropy() takes 256.
constexpr uint32_t kMaxRandomBytes = 65536;
constexpr uint64_t kMaxSubscriptions = 1024;
constexpr uint64_t kClockStepNs = 1000;

int32_t put_strings(HostCall& call, const std::vector<std::string>& strings) {
  uint64_t pointers = call.u32(0);
  uint64_t at = call.u32(1);
  if (!call.in_bounds(pointers, 4 * strings.size())) return kFault;
  if (!call.pay_for_items(strings.size())) return kFault;
  for (const std::string& text : strings) {
    if (!call.in_bounds(at, text.size() + 1) || !call.pay_for_bytes(text.size() + 1)) return kFault;
    call.store<uint32_t>(pointers, static_cast<uint32_t>(at));
    std::memcpy(call.memory(at), text.c_str(), text.size() + 1);
    pointers += 4;
    at += text.size() + 1;
  }
  return kOk;
}

int32_t put_string_sizes(HostCall& call, const std::vector<std::string>& strings) {
  if (!call.in_bounds(call.u32(0), 4) || !call.in_bounds(call.u32(1), 4)) return kFault;
  size_t bytes = 0;
  for (const std::string& text : strings) bytes += text.size() + 1;
  call.store<uint32_t>(call.u32(0), static_cast<uint32_t>(strings.size()));
  call.store<uint32_t>(call.u32(1), static_cast<uint32_t>(bytes));
  return kOk;
}

// How long a clock subscription waits; its timeout is absolute when flag 1 says so.
uint64_t timeout_of(const HostCall& call, uint64_t subscription) {
  const auto timeout = call.load<uint64_t>(subscription + 24);
  if ((call.load<uint16_t>(subscription + 40) & 1) == 0) return timeout;
  const bool is_realtime = call.load<uint32_t>(subscription + 16) == 0;
  const uint64_t now = call.io.clock_ns + (is_realtime ? call.io.epoch_ns : 0);
  return timeout > now ? timeout - now : 0;
}

}  // namespace

int32_t args_get(HostCall& call) { return put_strings(call, call.io.arguments); }
int32_t args_sizes_get(HostCall& call) { return put_string_sizes(call, call.io.arguments); }
int32_t environ_get(HostCall& call) { return put_strings(call, call.io.environment); }
int32_t environ_sizes_get(HostCall& call) { return put_string_sizes(call, call.io.environment); }

int32_t random_get(HostCall& call) {
  const uint32_t at = call.u32(0);
  const uint32_t count = call.u32(1);
  if (count > kMaxRandomBytes) return kInvalid;
  if (!call.in_bounds(at, count) || !call.pay_for_bytes(count)) return kFault;
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

int32_t proc_exit(HostCall& call) {
  call.io.exit_code = static_cast<int32_t>(call.u32(0));
  call.io.stop = HostStop::kExited;
  return kOk;
}

// ---- clocks

int32_t clock_res_get(HostCall& call) {
  if (!call.in_bounds(call.u32(1), 8)) return kFault;
  call.store<uint64_t>(call.u32(1), kClockStepNs);
  return kOk;
}

int32_t clock_time_get(HostCall& call) {
  if (!call.in_bounds(call.u32(2), 8)) return kFault;
  call.io.clock_ns += kClockStepNs;
  const uint64_t base = call.u32(0) == 0 ? call.io.epoch_ns : 0;
  call.store<uint64_t>(call.u32(2), base + call.io.clock_ns);
  return kOk;
}

// Nothing is ever waited for: all timeouts pass at once, on the virtual clock.
int32_t poll_oneoff(HostCall& call) {
  constexpr uint64_t kSubscriptionBytes = 48;
  constexpr uint64_t kEventBytes = 32;
  const uint64_t in = call.u32(0);
  const uint64_t out = call.u32(1);
  const uint64_t count = call.u32(2);
  if (count == 0 || count > kMaxSubscriptions) return kInvalid;
  if (!call.pay_for_items(count)) return kFault;
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

}  // namespace azr::executor::wasi
