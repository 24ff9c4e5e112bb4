#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "executor/fuzz/targets.h"
#include "executor/memory/slot.h"
#include "executor/wasi/wasi.h"

namespace azr::fuzz {
namespace {

using namespace azr::executor;  // NOLINT(google-build-using-namespace): this file drives it

// Wasmtime is not loaded: a trap is an address that nobody reads.
wasm_trap_t* make_trap(const char*, size_t) {
  static char trap;
  return reinterpret_cast<wasm_trap_t*>(&trap);
}

// Of a slot's 4 GiB only the image's part is accessible, so a host that reads or writes past the
// guest's memory ends the process.
struct Guest {
  Guest()
      : slot(std::make_shared<const Image>(pack_memory(std::string(kBytes, '\0'))), 0,
             kCompareWay) {
    api.wasmtime_trap_new = make_trap;
    slot.begin(kBytes);
  }
  static constexpr size_t kBytes = size_t{16} * kWasmPageBytes;
  WasmtimeApi api;
  Slot slot;
  std::vector<HostImport> imports = host_imports();
};

Guest& guest() {
  static Guest instance;
  return instance;
}

// A pointer: mostly into the memory's first pages, where the arguments of vectors lie, or about
// its end, or anywhere.
uint32_t pointer(Chance& chance) {
  switch (chance.below(4)) {
    case 0:
      return static_cast<uint32_t>(Guest::kBytes + chance.below(129) - 64);
    case 1:
      return static_cast<uint32_t>(chance.edge());
    default:
      return static_cast<uint32_t>(chance.below(4096));
  }
}

uint32_t number(Chance& chance) {
  return static_cast<uint32_t>(chance.one_in(2) ? chance.below(12) : chance.edge());
}

// Descriptors that exist, and others.
uint32_t descriptor(Chance& chance) {
  return chance.one_in(4)   ? kReplyFd
         : chance.one_in(8) ? number(chance)
                            : uint32_t(chance.below(8));
}

void fill_memory(Chance& chance, uint8_t* base) {
  for (size_t at = 0; at < 8192; at += 8) {  // pairs, as in a vector: where, how much
    const std::array<uint32_t, 2> pair{pointer(chance),
                                       chance.one_in(2) ? number(chance) : pointer(chance)};
    std::memcpy(base + at, pair.data(), sizeof(pair));
  }
  static constexpr std::array<const char*, 8> kPaths{".", "python315.zip", "python315.zip/x", "",
                                                     "a", "a/b",           "a/../c",          "/"};
  for (int i = 0; i < 8; ++i) {
    const char* path = kPaths[chance.below(kPaths.size())];
    std::memcpy(base + chance.below(4096), path, std::strlen(path));
  }
}

GuestIo make_io(Chance& chance, const std::string& text) {
  GuestIo io;
  io.slot = &guest().slot;
  io.stdin_text = text;
  io.zip = text;
  io.entropy = chance.next() | 1;
  io.clock_ns = chance.one_in(2) ? 0 : chance.edge();
  io.stdout_cap = chance.below(5000);
  io.tmp.cap = chance.below(50000);
  io.reply_cap = chance.below(5000);
  io.arguments.assign(chance.below(4), text.substr(0, chance.below(40)));
  io.environment.assign(chance.below(4), text.substr(0, chance.below(40)));
  return io;
}

}  // namespace

void host_call(Chance& chance) {
  Guest& target = guest();
  static const std::string kText(3000, 'z');
  GuestIo io = make_io(chance, kText);
  fill_memory(chance, target.slot.base());
  for (int i = 0; i < 64 && io.stop == HostStop::kNone; ++i) {
    const size_t index = chance.below(target.imports.size());
    std::array<wasmtime_val_raw_t, 16> values{};
    const char* signature = target.imports[index].signature;
    for (size_t k = 0; signature[k] != '\0'; ++k) {
      if (signature[k] == 'I') {
        values[k].i64 = static_cast<int64_t>(chance.one_in(3) ? chance.below(4096) : chance.edge());
      } else {
        const uint32_t value = k == 0             ? descriptor(chance)
                               : chance.one_in(4) ? number(chance)
                                                  : pointer(chance);
        values[k].i32 = static_cast<int32_t>(value);
      }
    }
    const std::string_view name(target.imports[index].name);
    const bool takes_vectors =
        name == "fd_read" || name == "fd_write" || name == "fd_pread" || name == "fd_pwrite";
    const bool is_bounded = !takes_vectors || static_cast<uint32_t>(values[2].i32) <= 1024;
    const wasm_trap_t* trap = call_host_import(target.api, index, io, values.data());
    require(is_bounded || values[0].i32 != 0, "a call has few vectors");
    require((trap != nullptr) == (io.stop != HostStop::kNone), "a trap says why, and only a trap");
    require(io.out.size() <= io.stdout_cap, "stdout stays below its cap");
    require(io.reply.size() <= io.reply_cap, "the reply stays below its cap");
    require(io.error.size() <= 65536 + 16384, "stderr stays below its cap");
    require(io.files.size() <= 64, "few files are open");
  }
}

}  // namespace azr::fuzz
