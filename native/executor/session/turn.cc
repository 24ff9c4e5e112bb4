#include "executor/session/turn.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "executor/job/reply.h"
#include "executor/job/run_failures.h"
#include "executor/values/marshal_writer.h"
#include "executor/wasi/wasi_price.h"

namespace azr::executor {
namespace {

constexpr uint32_t kTurnMode = 6;  // of guest/runner.py
constexpr uint64_t kFirstEntropy = 0x9e3779b97f4a7c15;

// Whether a turn that ended so leaves what it did; any other leaves the session as it was.
bool is_kept(Outcome outcome) {
  return outcome == Outcome::kReturned || outcome == Outcome::kRaised ||
         outcome == Outcome::kExited;
}

CallReport too_large(uint64_t fuel, uint64_t max_bytes) {
  CallReport report = failed(Outcome::kOutOfMemory, "the session would hold more than " +
                                                        std::to_string(max_bytes) + " bytes");
  report.fuel = fuel;
  return report;
}

// The traceback stands behind what the program wrote to stderr.
void split_trace(size_t at, CallReport& report) {
  if (!report.err || at >= report.err->size()) return;
  report.trace = report.err->substr(at);
  report.err->resize(at);
}

}  // namespace

// What its frames and errors are in.
std::string Worker::turn_name(const JobSpec& job) {
  const State* before = job.turn->before.get();
  return "<turn " + std::to_string(before == nullptr ? 1 : before->turns + uint64_t{1}) + ">";
}

bool Worker::Turn::grows(const Slot& slot) const {
  return before != nullptr && before->memory_bytes > slot.size();
}

void Worker::Turn::enter(Slot& slot, GuestIo& io) const {
  if (before != nullptr && !before->enter(slot, io)) {
    throw MachineFailure("the machine refused a session its memory");
  }
}

// Nothing is done before it is known that it can be paid.
void Worker::Turn::leave(Seat& seat, const GuestIo& io, const std::shared_ptr<Account>& account,
                         uint64_t fuel_left) {
  Slot& slot = seat.slot;
  leave_price = (slot.size() - slot.image().size()) / kPageBytes * wasi::kFuelPerGrownPage +
                io.tmp.used_bytes() * wasi::kFuelPerKeptFileByte;
  if (leave_price > fuel_left) return;
  const std::vector<uint32_t> pages = pages_left(slot, seat.instance->stack_top(), max_bytes);
  leave_price += pages.size() * wasi::kFuelPerKeptPage;
  if (leave_price > fuel_left) return;
  after = azr::executor::leave(slot, io, {before, pages, max_bytes, flavor}, account);
  is_too_large = after == nullptr;
}

void Worker::write_turn(const JobSpec& job, const CompiledCode& code) {
  request_.clear();
  MarshalWriter request(request_);
  request.tuple(8);
  request.raw(code.payload);
  request.integer(kTurnMode);
  request.text(turn_name(job));
  if (job.stdin_text) {
    request.text(*job.stdin_text);
  } else {
    request.none();
  }
  request.none();  // no seed: the session's own randomness goes on
  request.texts(job.banned_modules);
  request.tuple(2);
  request.text(job.source);
  request.none();
  request.integer(0);  // no modules among files
}

// A turn that is stopped, or leaves too much, leaves the session as it was: there is no state.
CallReport Worker::run_turn(const JobSpec& job) {
  const State* before = job.turn->before.get();
  const auto code = compile(job, job.source, 'c');
  if (code->outcome != Outcome::kReturned) {
    CallReport report = failed(*code, false);
    report.trace = code->display;
    return report;
  }
  if (stop_) throw Stopped();
  ++counters_.calls;
  // An image may be larger than the limit: then nothing can be added to it.
  const Flavor& flavor = shared_.flavors.at(job.flavor);
  const uint64_t most = std::max<uint64_t>(job.memory_bytes, flavor.images.front()->size());
  if (before != nullptr && before->memory_bytes > most) {
    return failed(Outcome::kOutOfMemory, "the session has more memory than this turn may use");
  }
  Turn turn{before, job.turn->max_bytes, job.flavor, nullptr};
  write_turn(job, *code);
  io_.stdin_text = {};
  io_.entropy = kFirstEntropy;
  CallReport report = run_request(job, 0, &turn);
  split_trace(io_.trace_at, report);
  if (!is_kept(report.outcome)) return report;
  if (!pay(job, turn.leave_price, report)) return report;
  if (turn.is_too_large) return too_large(report.fuel, turn.max_bytes);
  if (turn.after == nullptr) return report;  // os._exit()
  turn.after->fuel = report.fuel + (before == nullptr ? 0 : before->fuel);
  turn.after->turns = 1 + (before == nullptr ? 0 : before->turns);
  report.state = std::move(turn.after);
  return report;
}

}  // namespace azr::executor
