#include "executor/pool/builder.h"

#include <pthread.h>

#include <array>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>

namespace azr::executor {
namespace {

constexpr uint64_t kBootFuel = uint64_t{1} << 50;
constexpr SafetyNet kNoNet{UINT64_MAX, UINT64_MAX, nullptr};

// CPython 3.12 and later never counts references to an object whose count is at least 2^30 (on
// 32-bit machines), and starts immortal objects at this one (Include/refcount.h).
constexpr uint32_t kImmortal = uint32_t{5} << 28;
constexpr uint32_t kLeastImmortal = uint32_t{1} << 30;

// Makes the objects at these addresses, 32-bit numbers, immortal: their reference count is their
// first field.
void immortalize(Slot& slot, std::string_view addresses) {
  for (size_t i = 0; i + sizeof(uint32_t) <= addresses.size(); i += sizeof(uint32_t)) {
    uint32_t at = 0;
    uint32_t count = 0;
    std::memcpy(&at, addresses.data() + i, sizeof(at));
    if (at % 4 != 0 || at + uint64_t{sizeof(count)} > slot.size()) {
      throw std::runtime_error("the guest named an address that holds no object");
    }
    std::memcpy(&count, slot.base() + at, sizeof(count));
    if (count == 0) throw std::runtime_error("the guest named an object that was freed");
    if (count < kLeastImmortal) std::memcpy(slot.base() + at, &kImmortal, sizeof(kImmortal));
  }
}

// CPython's build for WASI believes in a stack of 128 KiB, whatever the module has (16 MiB here),
// and raises RecursionError at 112 KiB: a chain of 46 elifs, a cached recursion 207 deep. With
// 6 MiB it goes about as deep as natively on the usual 8 MiB. wasm_stack_bytes must be 40 times as
// much: a frame that takes a byte of this stack takes up to 30 of the host's. CPython's thread
// state holds the stack's top and two limits side by side: move the limits down.
void deepen_stack(Slot& slot, uint32_t top) {
  constexpr uint32_t kBelievedBytes = 128 << 10;
  constexpr uint32_t kAllowedBytes = 6 << 20;
  constexpr uint32_t kMove = kAllowedBytes - kBelievedBytes;
  using Limits = std::array<uint32_t, 3>;  // top, soft, hard
  size_t found = 0;
  for (size_t at = 0; at + sizeof(Limits) <= slot.size(); at += sizeof(uint32_t)) {
    Limits limits{};
    std::memcpy(limits.data(), slot.base() + at, sizeof(limits));
    const auto [first, soft, hard] = limits;
    if (first != top || soft >= top || hard >= soft || top - hard >= kBelievedBytes) continue;
    limits = {top, soft - kMove, hard - kMove};
    std::memcpy(slot.base() + at, limits.data(), sizeof(limits));
    ++found;
  }
  if (found != 1) throw std::runtime_error("the guest's stack limits are not where they were");
}

std::string boot(const Engine& engine, const BootOptions& options) {
  Slot slot(std::make_shared<const Image>(pack_memory(options.initial_memory)), 0, kCompareWay);
  GuestIo io;
  io.zip = options.zip;
  io.entropy = options.entropy | 1;
  io.clock_ns = 1'000'000'000;
  io.epoch_ns = 1'767'225'600'000'000'000;
  io.stdout_cap = 1 << 20;
  io.reply_cap = 16 << 20;
  io.arguments = {"/usr/local/bin/python3.15"};
  io.environment = {"PYTHONTZPATH=", "HOME=/tmp", "TMPDIR=/tmp"};
  slot.begin(options.memory_cap);
  if (options.run_constructors) Instance(engine, slot, io).run_constructors(kBootFuel);
  for (const std::string& turn : options.turns) {
    Watch nobody;
    // A fresh instance a turn: what outlives a turn is what outlives a snapshot, the memory.
    const Run run = Instance(engine, slot, io).run(turn, kBootFuel, kNoNet, nobody);
    if (run.ending != Ending::kFinished || run.status != 0) {
      throw std::runtime_error("the guest did not boot: " + run.trap + " " + io.error + io.out);
    }
  }
  immortalize(slot, io.reply);
  deepen_stack(slot, static_cast<uint32_t>(Instance(engine, slot, io).stack_top()));
  return pack_memory({reinterpret_cast<const char*>(slot.base()), slot.size()});
}

struct BootCall {
  const Engine* engine;
  const BootOptions* options;
  std::string result;
  std::exception_ptr failure;
};

void* boot_thread(void* argument) {
  auto* call = static_cast<BootCall*>(argument);
  try {
    call->result = boot(*call->engine, *call->options);
  } catch (...) {
    call->failure = std::current_exception();
  }
  return nullptr;
}

}  // namespace

std::string build_image(const Engine& engine, const BootOptions& options) {
  BootCall call{&engine, &options, {}, nullptr};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, engine.options().wasm_stack_bytes + kHostStackBytes);
  pthread_t thread{};
  const int error = pthread_create(&thread, &attributes, boot_thread, &call);
  pthread_attr_destroy(&attributes);
  if (error != 0) throw std::runtime_error("cannot start the image builder's thread");
  pthread_join(thread, nullptr);
  if (call.failure) std::rethrow_exception(call.failure);
  return std::move(call.result);
}

}  // namespace azr::executor
