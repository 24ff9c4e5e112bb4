#include "executor/engine/trap_signals.h"

#include <signal.h>

#include <array>
#include <atomic>
#include <cstddef>

namespace azr::executor {
namespace {

// Memory, instructions that trap, divisions.
constexpr std::array kSignals{SIGSEGV, SIGILL, SIGFPE};

// Never freed: another thread may be reading one that is replaced.
std::array<std::atomic<const struct sigaction*>, kSignals.size()> g_noted{};

}  // namespace

void note_trap_handler(int signal) {
  for (size_t i = 0; i < kSignals.size(); ++i) {
    if (kSignals[i] != signal) continue;
    auto* now = new struct sigaction;  // NOLINT(cppcoreguidelines-owning-memory)
    if (sigaction(signal, nullptr, now) == 0) g_noted[i] = now;
  }
}

void note_trap_handlers() {
  for (const int signal : kSignals) note_trap_handler(signal);
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
