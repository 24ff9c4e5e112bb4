// A machine that refuses or lies: LD_PRELOADed into a Python process, told by ctypes what to do.
// Only calls from the executor, its C++ library and wasmtime are met; the interpreter's own work.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/types.h>

enum { kNone, kZeroFaults, kFrozenFaults, kEmptyScans, kNoPopulate };

static const char* volatile g_function = "";
static atomic_long g_seen, g_nth;
static atomic_int g_errno, g_for_ever, g_lie;

// The nth call of `function` from now on fails, and with `for_ever` all after it; 0: count only.
void refuse(const char* function, long nth, int error, int for_ever) {
  g_function = "";
  g_seen = 0;
  g_nth = nth;
  g_errno = error;
  g_for_ever = for_ever;
  g_function = strdup(function);
}
long calls_seen(void) { return g_seen; }
void lie(int kind) { g_lie = kind; }

static int is_of_the_executor(const void* caller) {
  Dl_info info;
  if (dladdr(caller, &info) == 0 || info.dli_fname == NULL) return 0;
  return strstr(info.dli_fname, "/_pool.") || strstr(info.dli_fname, "wasmtime") ||
         strstr(info.dli_fname, "libstdc++");
}

static int is_refused(const char* function, const void* caller) {
  if (strcmp(g_function, function) != 0 || !is_of_the_executor(caller)) return 0;
  const long seen = ++g_seen;
  if (g_nth == 0 || seen < g_nth || (seen > g_nth && !g_for_ever)) return 0;
  errno = g_errno;
  return 1;
}

#define REFUSED(name) is_refused(name, __builtin_return_address(0))
#define NEXT(result, name, parameters, arguments) \
  ((result(*) parameters)dlsym(RTLD_NEXT, #name)) arguments
#define MEET(result, name, as, failure, parameters, arguments)  \
  result name parameters {                                      \
    if (REFUSED(as)) return failure;                            \
    return NEXT(result, name, parameters, arguments);           \
  }

MEET(void*, mmap, "mmap", MAP_FAILED, (void* a, size_t n, int p, int f, int d, off_t o),
     (a, n, p, f, d, o))
MEET(void*, mmap64, "mmap", MAP_FAILED, (void* a, size_t n, int p, int f, int d, off64_t o),
     (a, n, p, f, d, o))
MEET(int, munmap, "munmap", -1, (void* a, size_t n), (a, n))
MEET(int, mprotect, "mprotect", -1, (void* a, size_t n, int p), (a, n, p))
MEET(int, memfd_create, "memfd_create", -1, (const char* n, unsigned f), (n, f))
MEET(int, ftruncate, "ftruncate", -1, (int d, off_t n), (d, n))
MEET(int, ftruncate64, "ftruncate", -1, (int d, off64_t n), (d, n))
MEET(int, mkostemp, "mkostemp", -1, (char* t, int f), (t, f))
MEET(int, mkostemp64, "mkostemp", -1, (char* t, int f), (t, f))
MEET(int, posix_fallocate, "posix_fallocate", g_errno, (int d, off_t a, off_t n), (d, a, n))
MEET(int, posix_fallocate64, "posix_fallocate", g_errno, (int d, off64_t a, off64_t n), (d, a, n))
MEET(ssize_t, pwrite, "pwrite", -1, (int d, const void* b, size_t n, off_t a), (d, b, n, a))
MEET(ssize_t, pwrite64, "pwrite", -1, (int d, const void* b, size_t n, off64_t a), (d, b, n, a))
MEET(ssize_t, pread, "pread", -1, (int d, void* b, size_t n, off_t a), (d, b, n, a))
MEET(ssize_t, pread64, "pread", -1, (int d, void* b, size_t n, off64_t a), (d, b, n, a))
MEET(ssize_t, read, "read", -1, (int d, void* b, size_t n), (d, b, n))
MEET(int, sigaction, "sigaction", -1,
     (int s, const struct sigaction* a, struct sigaction* b), (s, a, b))
MEET(int, sigaltstack, "sigaltstack", -1, (const stack_t* a, stack_t* b), (a, b))
MEET(int, pthread_create, "pthread_create", g_errno,
     (pthread_t * t, const pthread_attr_t* a, void* (*f)(void*), void* x), (t, a, f, x))

int open(const char* path, int flags, ...) {
  if (REFUSED(strstr(path, "pagemap") ? "open pagemap" : "open")) return -1;
  va_list list;
  va_start(list, flags);
  const int mode = va_arg(list, int);
  va_end(list);
  return NEXT(int, open, (const char*, int, ...), (path, flags, mode));
}

int open64(const char* path, int flags, ...) {
  if (REFUSED(strstr(path, "pagemap") ? "open pagemap" : "open")) return -1;
  va_list list;
  va_start(list, flags);
  const int mode = va_arg(list, int);
  va_end(list);
  return NEXT(int, open64, (const char*, int, ...), (path, flags, mode));
}

int madvise(void* at, size_t size, int advice) {
  if (REFUSED("madvise")) return -1;
  if (g_lie == kNoPopulate && advice == 22) return errno = EINVAL, -1;
  return NEXT(int, madvise, (void*, size_t, int), (at, size, advice));
}

int ioctl(int fd, unsigned long request, ...) {
  if (REFUSED("ioctl")) return -1;
  va_list list;
  va_start(list, request);
  unsigned long long* argument = va_arg(list, unsigned long long*);
  va_end(list);
  if (g_lie == kEmptyScans && request == 0xc0606610) {  // PAGEMAP_SCAN
    argument[4] = argument[3];                          // walk_end = end: nothing was found
    return 0;
  }
  return NEXT(int, ioctl, (int, unsigned long, ...), (fd, request, argument));
}

int getrusage(int who, struct rusage* usage) {
  static _Thread_local long frozen;
  if (REFUSED("getrusage")) return -1;
  const int result = NEXT(int, getrusage, (int, struct rusage*), (who, usage));
  if (g_lie != kFrozenFaults) frozen = usage->ru_minflt + usage->ru_majflt;
  if (g_lie == kZeroFaults) usage->ru_minflt = usage->ru_majflt = 0;
  if (g_lie == kFrozenFaults) usage->ru_minflt = frozen, usage->ru_majflt = 0;
  return result;
}

