// Everything the guest can see of the outside: a virtual clock, seeded entropy, stdin, one file to
// read, a /tmp of its own, and three streams out. No call reaches the host's files, network, time
// or environment.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "executor/wasi/tmp_files.h"

namespace azr::executor {

class Slot;

// The descriptor on which the runner replies; out of the way of any number a program would try
// by accident. Writing to it gains a program nothing: it carries a value, never a verdict.
constexpr uint32_t kReplyFd = 1000003;
// Where the runner writes a traceback: behind stderr, with room of its own.
constexpr uint32_t kTraceFd = 1000004;

// Why the host stopped the guest.
enum class HostStop : uint8_t {
  kNone,
  kExited,
  kStdoutFull,
  kReplyFull,
  kOutOfFuel,
  kNoMemory,  // the host had none: a machine failure, never an outcome
};

// A descriptor of the library's zip, or of a file or folder of /tmp.
struct OpenFile {
  bool is_open = false;
  uint64_t at = 0;
  TmpNodePtr node;  // null: the zip
  bool reads = true;
  bool writes = false;
  bool appends = false;
};

// The state behind one run's host calls. Filled before the run, read after it.
struct GuestIo {
  // Inputs.
  Slot* slot = nullptr;
  std::string_view stdin_text;
  std::string_view zip;  // the standard library, the only file
  uint64_t entropy = 1;  // state of the generator behind random_get; never zero
  uint64_t clock_ns = 0;
  uint64_t epoch_ns = 0;     // what the wall clock shows when clock_ns is 0
  bool counts_fuel = false;  // whether calls have a price
  size_t paid_size = 0;      // of the memory: what the guest has added beyond has no price yet
  size_t stdout_cap = 0;
  size_t reply_cap = 0;
  std::vector<std::string> arguments;    // only at boot
  std::vector<std::string> environment;  // only at boot

  // Outputs.
  std::string out;
  std::string error;           // stderr and a traceback, bounded
  size_t trace_at = SIZE_MAX;  // where the traceback begins in it
  std::string reply;
  uint32_t reply_writes = 0;
  HostStop stop = HostStop::kNone;
  int exit_code = 0;

  // Open files, from descriptor 5 on.
  std::vector<OpenFile> files;
  TmpFiles tmp;
  uint64_t stdin_at = 0;
};

}  // namespace azr::executor
