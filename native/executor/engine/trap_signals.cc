#include "executor/engine/trap_signals.h"

#include <dlfcn.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <stdexcept>

namespace azr::executor {
namespace {

// Memory, instructions that trap, divisions.
constexpr std::array kSignals{SIGSEGV, SIGILL, SIGFPE};

// Never freed: another thread may be reading one that is replaced.
std::array<std::atomic<const struct sigaction*>, kSignals.size()> g_noted{};

// What the handler may read: no lock, no allocation, and no lazily allocated thread storage.
[[gnu::tls_model("initial-exec")]] constinit thread_local Slot* t_running = nullptr;
struct sigaction g_next{};

void pass_on(int signal, siginfo_t* info, void* context) {
  if ((g_next.sa_flags & SA_SIGINFO) != 0) {
    g_next.sa_sigaction(signal, info, context);
  } else if (g_next.sa_handler == SIG_DFL || g_next.sa_handler == SIG_IGN) {
    ::signal(signal, SIG_DFL);  // the fault is met again, and ends the process
  } else {
    g_next.sa_handler(signal);
  }
}

void on_fault(int signal, siginfo_t* info, void* context) {
  const auto* address = static_cast<const uint8_t*>(info->si_addr);
  if (t_running == nullptr || !t_running->lend(address)) pass_on(signal, info, context);
}

bool is_of_library(const struct sigaction& action, const void* function) {
  Dl_info handler{};
  Dl_info library{};
  // POSIX has a handler's address as a function, dladdr takes a data pointer.
  const auto* address = reinterpret_cast<const void*>(action.sa_sigaction);
  return dladdr(address, &handler) != 0 && dladdr(function, &library) != 0 &&
         handler.dli_fbase == library.dli_fbase;
}

[[noreturn]] void refuse_used_wasmtime() {
  throw std::runtime_error(
      "wasmtime is in use in this process already: make the first Sandbox before that");
}

bool install_behind(const void* wasmtime) {
  struct sigaction action{};
  action.sa_sigaction = on_fault;
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGSEGV, nullptr, &g_next) != 0) throw std::runtime_error("cannot ask for SIGSEGV");
  if (is_of_library(g_next, wasmtime)) refuse_used_wasmtime();
  if (sigaction(SIGSEGV, &action, nullptr) != 0) throw std::runtime_error("cannot handle SIGSEGV");
  return true;
}

}  // namespace

void put_handler_behind(const void* wasmtime) {
  [[maybe_unused]] static const bool is_done = install_behind(wasmtime);
}

void retry_faults_of(Slot* slot) { t_running = slot; }

void note_trap_handler(int signal) {
  for (size_t i = 0; i < kSignals.size(); ++i) {
    if (kSignals[i] != signal) continue;
    auto* now = new struct sigaction;  // NOLINT(cppcoreguidelines-owning-memory)
    if (sigaction(signal, nullptr, now) == 0) g_noted[i] = now;
  }
}

void note_trap_handlers() {
  for (const int signal : kSignals) note_trap_handler(signal);
  const struct sigaction* now = g_noted[0];
  // Wasmtime has installed nothing: it did so before, and another library took its place.
  if (now == nullptr || now->sa_sigaction == on_fault) refuse_used_wasmtime();
}

void keep_trap_handlers() {
  for (size_t i = 0; i < kSignals.size(); ++i) {
    const struct sigaction* noted = g_noted[i];
    struct sigaction now{};
    if (noted == nullptr || sigaction(kSignals[i], nullptr, &now) != 0) continue;
    if (now.sa_sigaction != noted->sa_sigaction) sigaction(kSignals[i], noted, nullptr);
  }
}

}  // namespace azr::executor
