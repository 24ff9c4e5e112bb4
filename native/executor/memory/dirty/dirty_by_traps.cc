// The way "traps": cold pages are write-protected. A write to one raises SIGSEGV on the thread that
// runs the guest; the handler notes the page, opens it, and the write is done again.
//
// Wasmtime has a handler of its own, for traps of the guest. Ours is installed after it, looks at
// the faulting address first, and hands on whatever is not a write to a watched page.
#include <signal.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <system_error>

#include "executor/engine/trap_signals.h"
#include "executor/memory/dirty/dirty_pages.h"
#include "executor/memory/dirty/pagemap.h"

namespace azr::executor {
namespace {

class DirtyByTraps;

// What the handler may read: no lock, no allocation, and no lazily allocated thread storage.
[[gnu::tls_model("initial-exec")]] constinit thread_local DirtyByTraps* t_watched = nullptr;
[[gnu::tls_model("initial-exec")]] constinit thread_local bool t_is_handing_on = false;
struct sigaction g_next{};

class DirtyByTraps final : public DirtyPages {
 public:
  explicit DirtyByTraps(const WatchedMemory& memory)
      : memory_(memory), bytes_(memory.image.size()), written_(bytes_ / kPageBytes) {}
  ~DirtyByTraps() override {
    if (t_watched == this) t_watched = nullptr;
  }

  void watch_all() override {
    if (mprotect(memory_.base, bytes_, PROT_READ) != 0) {
      throw std::system_error(errno, std::generic_category(), "cannot protect a slot (mprotect)");
    }
    is_open_ = false;
  }

  void begin() override;
  void stop_watching() override { is_stopped_ = true; }
  Knowledge find(const HotPages& hot, std::vector<PageRange>& written) override;
  bool cool(const PageRange& pages) override;

  // In the handler: whether the fault was a write to a watched page that may be done again now.
  bool open(const uint8_t* address) {
    if (address < memory_.base || address >= memory_.base + bytes_) return false;
    if (is_open_ || is_stopped_) return false;
    const size_t page = static_cast<size_t>(address - memory_.base) / kPageBytes;
    uint8_t* at = memory_.base + page * kPageBytes;
    if (count_ < written_.size() && mprotect(at, kPageBytes, PROT_READ | PROT_WRITE) == 0) {
      written_[count_++] = static_cast<uint32_t>(page);
      return true;
    }
    // Each page of its own protection is a mapping of its own, and a process has 65,530. As one
    // mapping the memory is unwatched, and renewed after the run.
    return open_all();
  }

 private:
  bool open_all() {
    is_open_ = true;
    if (mprotect(memory_.base, bytes_, PROT_READ | PROT_WRITE) == 0) return true;
    refused_ = errno;
    return false;
  }

  WatchedMemory memory_;
  size_t bytes_;
  std::vector<uint32_t> written_;  // the first `count_`: pages in the order of their first write
  size_t count_ = 0;
  bool is_open_ = false;
  std::atomic<bool> is_stopped_ = false;
  int refused_ = 0;
};

void hand_on(int signal, siginfo_t* info, void* context) {
  const bool is_action = (g_next.sa_flags & SA_SIGINFO) != 0;
  const bool is_default = g_next.sa_handler == SIG_DFL || g_next.sa_handler == SIG_IGN;
  if (t_is_handing_on || (!is_action && is_default)) {
    ::signal(signal, SIG_DFL);  // the fault is met again, and ends the process
    return;
  }
  t_is_handing_on = true;
  if (is_action) {
    g_next.sa_sigaction(signal, info, context);
  } else {
    g_next.sa_handler(signal);
  }
  t_is_handing_on = false;
}

void on_fault(int signal, siginfo_t* info, void* context) {
  const int saved = errno;
  const auto* address = static_cast<const uint8_t*>(info->si_addr);
  if (t_watched == nullptr || !t_watched->open(address)) hand_on(signal, info, context);
  errno = saved;
}

bool is_ours(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == on_fault;
}

// Once, after wasmtime has installed its own.
void install_handler() {
  static std::mutex mutex;
  static bool is_installed = false;
  const std::lock_guard<std::mutex> lock(mutex);
  if (is_installed) return;
  struct sigaction action{};
  action.sa_sigaction = on_fault;
  // The guest may have used up its stack; and a fault inside a handler further down is seen too.
  action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGSEGV, &action, &g_next) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot handle SIGSEGV (sigaction)");
  }
  note_trap_handler(SIGSEGV);
  is_installed = true;
}

void DirtyByTraps::begin() {
  count_ = 0;
  refused_ = 0;
  is_stopped_ = false;
  // Whoever has replaced the handler need not hand faults on: such a run is not watched.
  struct sigaction now{};
  if ((sigaction(SIGSEGV, nullptr, &now) != 0 || !is_ours(now)) && !open_all()) {
    throw std::system_error(refused_, std::generic_category(), "cannot open a slot (mprotect)");
  }
  t_is_handing_on = false;  // a handler may leave by a jump, as wasmtime's did once
  t_watched = this;
}

Knowledge DirtyByTraps::find(const HotPages&, std::vector<PageRange>& written) {
  t_watched = nullptr;
  if (refused_ != 0) {
    throw std::system_error(refused_, std::generic_category(), "cannot open a page (mprotect)");
  }
  if (is_open_) return Knowledge::kNothing;
  std::sort(written_.begin(), written_.begin() + static_cast<std::ptrdiff_t>(count_));
  for (size_t i = 0; i < count_; ++i) append_page(written, written_[i]);
  return Knowledge::kAll;
}

bool DirtyByTraps::cool(const PageRange& pages) {
  const size_t at = pages.first * kPageBytes;
  const size_t count = pages.count * kPageBytes;
  if (!drop_private_pages(memory_.base + at, count)) memory_.copy_back(pages);
  return mprotect(memory_.base + at, count, PROT_READ) == 0;
}

}  // namespace

std::unique_ptr<DirtyPages> watch_by_traps(const WatchedMemory& memory) {
  install_handler();
  return std::make_unique<DirtyByTraps>(memory);
}

}  // namespace azr::executor
