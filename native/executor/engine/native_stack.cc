#include "executor/engine/native_stack.h"

#include <pthread.h>
#include <sys/mman.h>

#include <cstddef>

namespace azr::executor {
namespace {

// Of a typical call's 60,000 nothing goes into a recursion that is worth a question to the kernel.
constexpr uint64_t kLeastFuel = 1'000'000;

// The lowest address of this thread's stack.
uintptr_t stack_bottom() {
  pthread_attr_t attributes;
  void* address = nullptr;
  size_t size = 0;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return UINTPTR_MAX;
  pthread_attr_getstack(&attributes, &address, &size);
  pthread_attr_destroy(&attributes);
  return reinterpret_cast<uintptr_t>(address);
}

}  // namespace

// Asks for one page, which a run that was not deep has not touched.
void release_deep_stack(uint64_t fuel_used) {
  if (fuel_used < kLeastFuel) return;
  constexpr uintptr_t kPage = 4096;
  constexpr uintptr_t kKeptBytes = 1 << 20;
  thread_local const uintptr_t bottom = stack_bottom();
  const auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
  const uintptr_t probe = (here - kKeptBytes) / kPage * kPage;
  if (probe <= bottom) return;
  unsigned char resident = 0;
  auto* at = reinterpret_cast<void*>(probe);  // NOLINT(performance-no-int-to-ptr): a stack's page
  if (mincore(at, kPage, &resident) == 0 && (resident & 1) == 0) return;
  auto* first = reinterpret_cast<void*>(bottom);  // NOLINT(performance-no-int-to-ptr)
  madvise(first, probe + kPage - bottom, MADV_DONTNEED);
}

}  // namespace azr::executor
