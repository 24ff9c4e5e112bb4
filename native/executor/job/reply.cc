#include "executor/job/reply.h"

#include <algorithm>
#include <utility>

#include "executor/values/value_text.h"

namespace azr::executor {
namespace {

constexpr size_t kMaxErrorBytes = 4096;

// Cuts UTF-8 text that a guest sent as an error; never in the middle of a character.
std::string bounded(std::string_view text) {
  if (text.size() <= kMaxErrorBytes) return std::string(text);
  size_t end = kMaxErrorBytes;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) --end;
  return std::string(text.substr(0, end));
}

std::string_view type_name(const CallReport& report) {
  if (!report.error) return {};
  return std::string_view(*report.error).substr(0, report.error->find(':'));
}

void read_value(std::string_view marshal, size_t max_bytes, CallReport& report) {
  std::string text;
  switch (write_value_text(marshal, {max_bytes, false}, text)) {
    case TextStatus::kOk:
      report.outcome = Outcome::kReturned;
      report.value = std::move(text);
      return;
    case TextStatus::kTooLarge:
      report.outcome = Outcome::kOutputTooLarge;
      return;
    case TextStatus::kNotAValue:
      report.outcome = Outcome::kNotAValue;
      report.error = "no literal: too deep, cyclic, or of a type that has none";
      return;
    default:
      report.error = "a malformed reply";
      return;
  }
}

// What a turn of a session shows of its last expression: nothing, or a text. Only a turn may say
// so: the value of any other run is a literal, which the host wrote.
bool read_shown(std::string_view reply, size_t max_bytes, CallReport& report) {
  if (!report.is_turn || (reply[0] != 'T' && reply[0] != 'R')) return false;
  const std::string_view text = reply.substr(1);
  report.outcome = text.size() <= max_bytes ? Outcome::kReturned : Outcome::kOutputTooLarge;
  if (reply[0] == 'R' && text.size() <= max_bytes) report.value = text;
  return true;
}

// Equal values may be dicts filled in another order: judged without it.
bool same_value(std::string_view reply, std::string_view other_reply, size_t max_bytes) {
  std::string text;
  std::string other_text;
  const TextOptions options{max_bytes, true};
  write_value_text(reply.substr(1), options, text);
  write_value_text(other_reply.substr(1), options, other_text);
  return !text.empty() && text == other_text;
}

}  // namespace

CallReport failed(Outcome outcome, std::string error) {
  CallReport report;
  report.outcome = outcome;
  report.error = std::move(error);
  return report;
}

CallReport failed(const CompiledCode& code, bool want_stderr) {
  CallReport report = failed(code.outcome, code.payload);
  if (want_stderr) report.err = code.display;
  return report;
}

void read_reply(const GuestIo& io, size_t max_bytes, CallReport& report) {
  const std::string_view reply = io.reply;
  // The runner writes once; anything else comes from a program that wrote frames itself.
  if (io.reply_writes != 1 || reply.empty()) {
    report.error = "a malformed reply";
    return;
  }
  if (read_shown(reply, max_bytes, report)) return;
  const std::string_view body = reply.substr(1);
  switch (reply[0]) {
    case 'V':
      read_value(body, max_bytes, report);
      return;
    case 'E':
      report.outcome = Outcome::kRaised;
      break;
    case 'M':
      report.outcome = Outcome::kOutOfMemory;
      break;
    case 'N':
      report.outcome = Outcome::kNotAValue;
      break;
    case 'X':
      report.outcome = Outcome::kExited;
      break;
    default:
      report.error = "a malformed reply";
      return;
  }
  report.error = bounded(body);
}

std::optional<CompiledCode> read_compile_reply(std::string_view reply) {
  const std::string_view body = reply.substr(1);
  switch (reply[0]) {
    case 'C':
      return CompiledCode{Outcome::kReturned, std::string(body), {}};
    case 'S': {
      const size_t end = std::min(body.find('\0'), body.size());
      const std::string_view display = body.substr(std::min(end + 1, body.size()));
      return CompiledCode{Outcome::kSyntaxError, bounded(body.substr(0, end)), bounded(display)};
    }
    case 'R':
      return CompiledCode{Outcome::kRefused, bounded(body), {}};
    default:
      return std::nullopt;
  }
}

const char* difference(const CallReport& report, std::string_view reply, const CallReport& other,
                       std::string_view other_reply, size_t max_bytes) {
  if (other.outcome != report.outcome || type_name(other) != type_name(report)) return "outcome";
  if (other.value != report.value) {
    return same_value(reply, other_reply, max_bytes) ? nullptr : "value";
  }
  if (other.out != report.out) return "stdout";
  return other.files == report.files ? nullptr : "files";
}

}  // namespace azr::executor
