// A worker's compile stage: one source to bytecode, or to why there is none.
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "executor/job/circumstances.h"
#include "executor/job/reply.h"
#include "executor/job/run_failures.h"
#include "executor/job/worker.h"
#include "executor/values/marshal_writer.h"

namespace azr::executor {
namespace {

// Far above what real programs need (median 1.2 M): only a source built to hang the compiler
// meets it.
constexpr uint64_t kCompileFuel = 20'000'000'000;
constexpr uint64_t kCompileMemoryBytes = uint64_t{512} << 20;
constexpr uint64_t kCompileReplyBytes = uint64_t{64} << 20;
// A compile stage that ends within this CPU time and two ticks of its watch has used less than
// kCompileFuel: it would take a core that runs 50 instructions a nanosecond to spend more. So the
// unmetered engine's answer is the metered one's. What takes longer, or traps, is compiled again
// under fuel, which decides.
constexpr uint64_t kUnmeteredMs = 200;

// How the compiler reads a source; guest/compiler.py holds the same words.
std::string_view reading_of(char kind) {
  if (kind == 'c') return "turn";
  return kind == 'e' ? "eval" : "exec";
}

}  // namespace

// What an error calls the code: the program's lines are its own, whatever runs after it.
std::string Worker::name_of(const JobSpec& job, char kind) {
  if (kind == 'c') return turn_name(job);
  if (kind == 'x') return "<program>";
  return kind == 'e' ? "<expression>" : "<tests>";
}

std::shared_ptr<const CompiledCode> Worker::compile(const JobSpec& job, std::string_view source,
                                                    char kind) {
  // Each field with its length, as marshal has it: no text can pass for another field's end.
  std::string key(1, kind);
  MarshalWriter(key).texts(job.banned_modules);
  MarshalWriter(key).text(name_of(job, kind));
  key.append(source);
  if (auto known = shared_.cache->find(key)) {
    ++counters_.cache_hits;
    return known;
  }
  auto code = std::make_shared<const CompiledCode>(compile_now(job, source, kind));
  if (!timed_out_) shared_.cache->put(std::move(key), code);
  return code;
}

CompiledCode Worker::compile_now(const JobSpec& job, std::string_view source, char kind) {
  ++counters_.compiled;
  request_.clear();
  MarshalWriter request(request_);
  request.tuple(4);
  request.bytes(source);
  request.text(name_of(job, kind));
  request.text(reading_of(kind));
  request.texts(job.banned_modules);
  const Run run = compile_guest();
  if (run.ending == Ending::kInterrupted) {
    expect_net_hit(job, run.interrupt);
    return {Outcome::kTimedOut, "while compiling: used up the CPU time of the safety net", {}};
  }
  if (run.ending == Ending::kOutOfFuel) return {Outcome::kOutOfFuel, "while compiling", {}};
  if (compile_seat_.slot.cap_hit()) return {Outcome::kOutOfMemory, "while compiling", {}};
  if (run.ending != Ending::kFinished) {
    return {Outcome::kTrapped, "while compiling: " + run.trap, {}};
  }
  if (run.status != 0 || io_.reply.empty()) throw MachineFailure("the compile stage gave no reply");
  auto code = read_compile_reply(io_.reply);
  if (!code) throw MachineFailure("the compile stage gave a malformed reply");
  return *std::move(code);
}

// Runs the request of a compile stage: unmetered where that shows what the metered engine would.
Run Worker::compile_guest() {
  const auto run_for = [this](const Engine& engine, uint64_t cpu_ms) {
    clear_outputs();
    io_.stdin_text = {};
    io_.entropy = 1;
    io_.epoch_ns = kNewYear2026Ns;
    io_.clock_ns = 0;
    io_.stdout_cap = kCompileReplyBytes;
    io_.reply_cap = kCompileReplyBytes;
    io_.tmp.cap = 0;
    return run_guest(engine, compile_seat_, {}, {kCompileFuel, kCompileMemoryBytes, cpu_ms});
  };
  Run run = run_for(*shared_.compile_engine, kUnmeteredMs);
  if (run.ending == Ending::kFinished || io_.stop != HostStop::kNone) return run;
  if (run.interrupt == Interrupt::kStop) return run;
  ++counters_.compiled_metered;
  compile_seat_.instance.reset();  // it is of the other engine
  run = run_for(*shared_.flavors.front().engine, shared_.net.cpu_ms(kCompileFuel));
  compile_seat_.instance.reset();
  return run;
}

}  // namespace azr::executor
