// What goes into the pool and what comes out. Python's side of it: sandbox_wasm/types.py.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "executor/pool/given_files.h"

namespace azr::executor {

// In the order of sandbox_wasm.types.Outcome, which bind.cc checks.
enum class Outcome : uint8_t {
  kReturned,
  kRaised,
  kRefused,
  kSyntaxError,
  kOutOfFuel,
  kOutOfMemory,
  kOutputTooLarge,
  kNotAValue,
  kExited,
  kTrapped,
  kTimedOut,
};

class Reports;
struct State;

// A job that is a turn of a session: its source runs in the state that the turns before it left.
struct TurnSpec {
  std::shared_ptr<const State> before;  // null: the first turn
  uint64_t max_bytes = 0;               // of the state that it leaves
};

struct JobSpec {
  uint64_t ticket = 0;
  std::shared_ptr<Reports> reports;  // where the report goes
  uint32_t flavor = 0;               // which set of run images (see Shared)
  std::string source;
  std::vector<std::string> calls;
  std::string entry;
  bool entry_is_name = true;  // otherwise an expression, trusted by the caller
  std::vector<std::string> expressions;
  std::optional<std::string> stdin_text;
  std::optional<std::string> tests;
  uint64_t fuel = 0;
  uint64_t memory_bytes = 0;
  uint64_t output_bytes = 0;
  uint32_t images = 1;
  std::vector<std::string> banned_modules;  // sorted
  bool want_stdout = false;
  bool want_stderr = false;
  std::optional<TurnSpec> turn;
  NamedFiles files;                     // in /tmp when a run begins
  std::vector<std::string> want_files;  // of /tmp when it has ended
  // Of the pool: the worker whose safety net the job has hit, where it was tried once.
  std::optional<size_t> first_worker;
};

struct CallReport {
  Outcome outcome = Outcome::kTrapped;
  std::optional<std::string> value;
  std::optional<std::string> error;
  uint64_t fuel = 0;
  std::optional<std::string> out;  // raw bytes of stdout
  std::optional<std::string> err;  // raw bytes of stderr, then the traceback
  const char* differs = nullptr;   // "outcome", "value", "stdout" or "files"
  // Of a turn: the value is text that the guest made, the traceback is apart from stderr, and there
  // is a state where the turn left one.
  bool is_turn = false;
  std::optional<std::string> trace;
  std::shared_ptr<const State> state;
  std::optional<NamedFiles> files;  // where the job wants some
};

struct JobReport {
  uint64_t ticket = 0;
  std::vector<CallReport> calls;
  std::string failure;  // not empty: the machinery failed, `calls` says nothing
};

}  // namespace azr::executor
