// Reads what a guest replied: a letter, then a value or a text. Untrusted, whatever wrote it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "executor/engine/guest_io.h"
#include "executor/job/code_cache.h"
#include "executor/pool/outcome.h"

namespace azr::executor {

// A report of a call that gave no value.
CallReport failed(Outcome outcome, std::string error);

// A report of a call whose code did not compile.
CallReport failed(const CompiledCode& code, bool want_stderr);

// A run's reply, into `report`: its value as a literal of at most `max_bytes`, or why there is
// none.
void read_reply(const GuestIo& io, size_t max_bytes, CallReport& report);

// A compile stage's reply; nothing if it is not one.
std::optional<CompiledCode> read_compile_reply(std::string_view reply);

// Where two runs of one call differ: "outcome", "value", "stdout" or "files"; null where they do
// not. `reply` and `other_reply` are the frames behind the reports.
const char* difference(const CallReport& report, std::string_view reply, const CallReport& other,
                       std::string_view other_reply, size_t max_bytes);

}  // namespace azr::executor
