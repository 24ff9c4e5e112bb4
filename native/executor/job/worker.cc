#include "executor/job/worker.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "executor/engine/native_stack.h"
#include "executor/engine/trap_signals.h"
#include "executor/job/circumstances.h"
#include "executor/job/reply.h"
#include "executor/job/run_failures.h"
#include "executor/job/source_signs.h"
#include "executor/memory/trial.h"
#include "executor/session/turn.h"
#include "executor/values/literal.h"
#include "executor/values/marshal_writer.h"
#include "executor/wasi/wasi_price.h"

namespace azr::executor {
namespace {

// Marshal data may be longer than the literal it becomes ("1, " is three bytes, five there).
constexpr uint64_t kReplyBytesPerLiteralByte = 6;
constexpr uint64_t kReplySlackBytes = 16384;
// Files of /tmp may take this part of the memory.
constexpr uint64_t kMemoryPerTmp = 4;
// A machine that gives a run less than this share of a core is no place to run it.
constexpr uint64_t kWallPerCpu = 10;

// Whether the program met a limit: it has no value to compare, and may have taken long.
bool met_limit(Outcome outcome) {
  return outcome == Outcome::kOutOfFuel || outcome == Outcome::kOutOfMemory ||
         outcome == Outcome::kOutputTooLarge || outcome == Outcome::kTrapped;
}

}  // namespace

// How the runner uses the code; guest/runner.py holds the same numbers, and one more: kTurnMode.
enum class Worker::Mode : uint8_t {
  kCallName,
  kCallExpression,
  kExpression,
  kMain,
  kTests,
  kMainToItsEnd,  // and its destructors
};

// One call: what the guest is asked, and where its randomness starts.
struct Worker::Task {
  const CompiledCode* code = nullptr;
  uint64_t source_hash = 0;
  Mode mode = Mode::kMain;
  std::string aux = "N";        // marshalled: the entry's name, bytes of more code, or None
  std::string_view aux_source;  // of that code
  std::string arguments = "N";  // marshalled pair, or None
  uint64_t seed = 0;
  bool reseed = false;
};

Worker::Seat::Seat(const std::shared_ptr<const Image>& image, const Shared& shared)
    : slot(image, shared.check_every, *shared.way) {
  prove(slot);
}

Worker::Worker(const Shared& shared, const std::atomic<bool>& stop, Watch& watch)
    : shared_(shared), stop_(stop), watch_(watch), compile_seat_(shared.compile_image, shared) {
  for (const Flavor& flavor : shared.flavors) run_seats_.emplace_back(flavor.images.size());
}

WorkerCounters Worker::counters() const {
  WorkerCounters total = counters_;
  const auto add = [&total](const Slot& slot) {
    const SlotCounters& counters = slot.counters();
    total.slots.restores += counters.restores;
    total.slots.slow_restores += counters.slow_restores;
    total.slots.full_restores += counters.full_restores;
    total.slots.checks += counters.checks;
    total.slots.failed_checks += counters.failed_checks;
    total.hot_pages += slot.hot_pages();
  };
  add(compile_seat_.slot);
  for (const auto& flavor : run_seats_) {
    for (const auto& seat : flavor) {
      if (seat != nullptr) add(seat->slot);
    }
  }
  return total;
}

std::optional<JobReport> Worker::process(const JobSpec& job) {
  JobReport report;
  report.ticket = job.ticket;
  ++counters_.jobs;
  timed_out_ = false;
  try {
    check_isolation();
    process_calls(job, report);
    check_isolation();  // another worker's slot may have shown it meanwhile
  } catch (const NetHit&) {
    ++counters_.net_hits;
    return std::nullopt;
  } catch (const Stopped&) {
    report.calls.clear();
    report.failure = "stopped";
  } catch (const std::exception& error) {
    ++counters_.failures;
    report.calls.clear();
    report.failure = error.what();
  }
  if (timed_out_) ++counters_.timed_out;
  return report;
}

void Worker::process_calls(const JobSpec& job, JobReport& report) {
  if (job.turn) {
    report.calls.push_back(run_turn(job));
    return;
  }
  const auto code = compile(job, job.source, 'x');
  if (code->outcome != Outcome::kReturned) {
    report.calls.push_back(failed(*code, job.want_stderr));
    return;
  }
  Task task;
  task.code = code.get();
  task.source_hash = hash_text(job.source, 0);
  task.reseed = mentions_random(job.source);
  if (!job.calls.empty()) {
    call_entry(job, task, report);
  } else if (!job.expressions.empty()) {
    evaluate_expressions(job, task, report);
  } else {
    run_program(job, task, report);
  }
}

void Worker::call_entry(const JobSpec& job, Task& task, JobReport& report) {
  task.mode = job.entry_is_name ? Mode::kCallName : Mode::kCallExpression;
  if (job.entry_is_name) {
    task.aux.clear();
    MarshalWriter(task.aux).text(job.entry);
  } else if (!add_code(job, job.entry, 'e', task, report)) {
    return;
  }
  for (const std::string& call : job.calls) {
    try {
      task.arguments = encode_arguments(call);
    } catch (const LiteralError& error) {
      report.calls.push_back(
          failed(Outcome::kSyntaxError, std::string("LiteralError: ") + error.what()));
      continue;
    }
    task.seed = hash_text(call, task.source_hash);
    report.calls.push_back(run_in_images(job, task));
  }
}

void Worker::evaluate_expressions(const JobSpec& job, Task& task, JobReport& report) {
  task.mode = Mode::kExpression;
  for (const std::string& expression : job.expressions) {
    if (add_code(job, expression, 'e', task, report)) {
      report.calls.push_back(run_in_images(job, task));
    }
  }
}

void Worker::run_program(const JobSpec& job, Task& task, JobReport& report) {
  task.seed = task.source_hash;
  if (may_have_destructors(job.source)) task.mode = Mode::kMainToItsEnd;
  if (job.tests) {
    task.mode = Mode::kTests;
    if (!add_code(job, *job.tests, 't', task, report)) return;
  }
  report.calls.push_back(run_in_images(job, task));
}

// Compiles more code into `task.aux`; false when that failed, which is then the call's report.
bool Worker::add_code(const JobSpec& job, std::string_view source, char kind, Task& task,
                      JobReport& report) {
  const auto more = compile(job, source, kind);
  task.aux.clear();
  task.seed = hash_text(source, task.source_hash);
  task.reseed = task.reseed || mentions_random(source);
  if (more->outcome != Outcome::kReturned) {
    report.calls.push_back(failed(*more, job.want_stderr));
    return false;
  }
  MarshalWriter(task.aux).bytes(more->payload);
  task.aux_source = source;
  return true;
}

CallReport Worker::run_in_images(const JobSpec& job, const Task& task) {
  CallReport first = run_once(job, task, 0);
  if (met_limit(first.outcome)) return first;
  const std::string first_reply = last_reply_;
  const size_t images = std::min<size_t>(job.images, run_seats_.at(job.flavor).size());
  for (size_t image = 1; image < images && first.differs == nullptr && !timed_out_; ++image) {
    const CallReport other = run_once(job, task, image);
    first.differs = difference(first, first_reply, other, last_reply_, job.output_bytes);
  }
  return first;
}

CallReport Worker::run_once(const JobSpec& job, const Task& task, size_t image) {
  if (timed_out_) return failed(Outcome::kTimedOut, "not run: an earlier call timed out");
  if (stop_) throw Stopped();
  ++counters_.calls;
  const uint64_t entropy = mix(task.seed ^ mix(image + 1));
  write_request(job, task, entropy);
  io_.stdin_text = job.stdin_text ? std::string_view(*job.stdin_text) : std::string_view();
  io_.entropy = entropy | 1;
  return run_request(job, image);
}

// Runs `request_` for a job; stdin and entropy are set.
CallReport Worker::run_request(const JobSpec& job, size_t image, Turn* turn) {
  CallReport report;
  const uint64_t entering = turn == nullptr ? 0 : turn->price();
  if (!pay(job, price_of(job.files) + entering, report)) return report;
  clear_outputs();
  set_clocks(image, io_);
  io_.stdout_cap = job.output_bytes;
  io_.tmp.cap = std::min(TmpFiles::kMaxBytes, job.memory_bytes / kMemoryPerTmp);
  place(job.files, io_.tmp);
  io_.reply_cap = kReplySlackBytes + job.output_bytes * kReplyBytesPerLiteralByte;
  const Flavor& flavor = shared_.flavors.at(job.flavor);
  Seat& seat = seat_of(job, image);
  const Run run =
      run_guest(*flavor.engine, seat, *flavor.zip,
                {job.fuel - report.fuel, job.memory_bytes, shared_.net.cpu_ms(job.fuel)}, turn);
  if (run.ending == Ending::kInterrupted) {
    expect_net_hit(job, run.interrupt);
    return failed(Outcome::kTimedOut, "used up the CPU time of the safety net");
  }
  const uint64_t fuel = report.fuel + run.fuel_used;
  report = report_of(job, run, seat.slot.cap_hit());
  report.fuel = fuel;
  pay_for_literal(job, report);
  take_files(job, report);
  if (job.want_stdout) report.out = io_.out;
  if (job.want_stderr) report.err = io_.error;
  last_reply_ = io_.reply;
  io_.files.clear();
  io_.tmp.clear();  // its memory is not kept until the next run
  return report;
}

void Worker::write_request(const JobSpec& job, const Task& task, uint64_t entropy) {
  request_.clear();
  MarshalWriter request(request_);
  request.tuple(8);
  request.raw(task.code->payload);  // first: its back references count from zero
  request.integer(static_cast<uint32_t>(task.mode));
  request.raw(task.aux);
  request.raw(task.arguments);
  if (task.reseed) {
    request.integer(static_cast<uint32_t>(entropy >> 33));
  } else {
    request.none();
  }
  request.texts(job.banned_modules);
  if (job.want_stderr) {  // a traceback shows lines
    request.tuple(2);
    request.text(job.source);
    request.text(task.aux_source);
  } else {
    request.none();
  }
  request.integer(has_modules(job.files) ? 1 : 0);
}

// Why a run ended, the first cause first; what it replied, where it ended by itself.
CallReport Worker::report_of(const JobSpec& job, const Run& run, bool memory_full) {
  CallReport report;
  report.is_turn = job.turn.has_value();
  if (run.ending == Ending::kFinished && run.status == 0) {
    read_reply(io_, job.output_bytes, report);
  } else if (run.ending == Ending::kOutOfFuel) {
    ++counters_.out_of_fuel;
    report.outcome = Outcome::kOutOfFuel;
  } else if (io_.stop == HostStop::kStdoutFull || io_.stop == HostStop::kReplyFull) {
    report.outcome = Outcome::kOutputTooLarge;
  } else if (memory_full) {
    report.outcome = Outcome::kOutOfMemory;
  } else if (io_.stop == HostStop::kExited) {
    return failed(Outcome::kExited, "exit status " + std::to_string(io_.exit_code));
  } else {
    return failed(Outcome::kTrapped,
                  run.ending == Ending::kFinished ? "the runner failed" : run.trap);
  }
  return report;
}

Worker::Seat& Worker::seat_of(const JobSpec& job, size_t image) {
  auto& seat = run_seats_.at(job.flavor).at(image);
  if (seat == nullptr) {
    const Flavor& flavor = shared_.flavors.at(job.flavor);
    seat = std::make_unique<Seat>(flavor.images.at(image), shared_);
  }
  return *seat;
}

void Worker::clear_outputs() {
  io_.out.clear();
  io_.error.clear();
  io_.trace_at = SIZE_MAX;
  io_.reply.clear();
  io_.reply_writes = 0;
  io_.stop = HostStop::kNone;
  io_.files.clear();
  io_.tmp.clear();
  io_.stdin_at = 0;
}

// An interrupted run becomes an outcome only at the job's second try, where the program had all
// the CPU time of the net twice; else this throws.
void Worker::expect_net_hit(const JobSpec& job, Interrupt why) {
  if (why == Interrupt::kStop) throw Stopped();
  if (why != Interrupt::kCpuTime) {
    throw MachineFailure("a run got too little of a core for the safety net to judge it");
  }
  if (!job.first_worker) throw NetHit();
  timed_out_ = true;
}

void Worker::sit(const Engine& engine, Seat& seat) {
  if (seat.instance != nullptr) return;
  seat.instance = std::make_unique<Instance>(engine, seat.slot, io_);
  ++counters_.instances;
}

// Runs `request_` on a cleared `io_` in a fresh state, or in a session's, and restores the slot. An
// interrupted run is the caller's to judge.
Run Worker::run_guest(const Engine& engine, Seat& seat, std::string_view zip, const Bounds& bounds,
                      Turn* turn) {
  io_.zip = zip;
  if (turn != nullptr && turn->grows(seat.slot)) {
    seat.instance.reset();  // it would not know how large the memory is
  } else {
    sit(engine, seat);
  }
  Run run;
  keep_trap_handlers();
  seat.slot.begin(bounds.memory_bytes);
  try {
    if (turn != nullptr) turn->enter(seat.slot, io_);
    sit(engine, seat);
    run = seat.instance->run(request_, bounds.fuel,
                             {bounds.cpu_ms, bounds.cpu_ms * kWallPerCpu, &stop_}, watch_);
    if (turn != nullptr && run.ending == Ending::kFinished && run.status == 0) {
      turn->leave(seat, io_, shared_.account, bounds.fuel - std::min(bounds.fuel, run.fuel_used));
    }
  } catch (...) {
    seat.instance.reset();
    restore(seat);
    throw;
  }
  release_deep_stack(run.fuel_used);
  if (!seat.instance->is_fresh()) seat.instance.reset();
  restore(seat);
  return run;
}

// Throws when the run says nothing, because the machine refused it something, or when no run does.
void Worker::restore(Seat& seat) {
  const int refused = io_.stop == HostStop::kNoMemory ? ENOMEM : seat.slot.refusal();
  if (!seat.slot.restore()) lose_isolation();
  check_isolation();
  if (refused == 0) return;
  throw MachineFailure("the machine refused a program memory within its cap: " +
                       std::generic_category().message(refused));
}

void Worker::lose_isolation() const {
  if (shared_.isolation_lost.exchange(true)) return;
  std::fprintf(stderr,
               "azr-sandbox: STOPPED: isolation was lost (pages watched by '%s'): a slot kept what"
               " a program wrote\n",
               shared_.way->name.data());
}

void Worker::check_isolation() const {
  if (!shared_.isolation_lost) return;
  throw MachineFailure(
      "isolation was lost: a slot kept what a program wrote, so programs may have seen one another."
      " This sandbox runs nothing more, and what it answered since its last good comparison cannot"
      " be trusted. See `azr-sandbox doctor`; AZR_DIRTY_PAGES=compare is right on any machine");
}

}  // namespace azr::executor
