// A file without a name that lives in memory, or, where the machine has none, in a temporary
// folder.
#pragma once

#include <cstddef>
#include <string>

namespace azr::executor {

// Owns the descriptor.
class MemoryFile {
 public:
  // So many zero bytes, whose room is reserved unless it is memory. Tries memfd_create, then a file
  // in /dev/shm, $TMPDIR, /tmp and /var/tmp whose name is removed at once. Throws
  // std::runtime_error, naming each refusal, when none can be had. `name`: in /proc/self/maps.
  MemoryFile(size_t bytes, const std::string& name);
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  int fd() const { return fd_; }

 private:
  int fd_ = -1;
};

}  // namespace azr::executor
