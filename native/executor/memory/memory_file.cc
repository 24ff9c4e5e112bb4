#include "executor/memory/memory_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

namespace azr::executor {
namespace {

// All give errno, or 0.
int make_in_memory(const std::string& name, size_t bytes, int& fd) {
  fd = memfd_create(name.c_str(), MFD_CLOEXEC);
  if (fd < 0) return errno;
  return ftruncate(fd, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
}

int make_in_folder(const std::string& folder, const std::string& name, size_t bytes, int& fd) {
  std::string path = folder + "/" + name + "-XXXXXX";
  fd = mkostemp(path.data(), O_CLOEXEC);
  if (fd < 0) return errno;
  if (unlink(path.c_str()) != 0) return errno;
  // A page that has no room when it is first read ends the process (SIGBUS): /dev/shm may be small.
  return posix_fallocate(fd, 0, static_cast<off_t>(bytes));
}

std::vector<std::string> folders() {
  std::vector<std::string> result{"/dev/shm"};
  const char* temporary = getenv("TMPDIR");
  if (temporary != nullptr && *temporary != '\0') result.emplace_back(temporary);
  result.emplace_back("/tmp");
  result.emplace_back("/var/tmp");
  return result;
}

}  // namespace

MemoryFile::MemoryFile(size_t bytes, const std::string& name) {
  std::string refusals;
  const auto is_made = [&](const std::string& where, int error) {
    if (error == 0) return true;
    refusals += (refusals.empty() ? "" : "; ") + where + ": " + std::strerror(error);
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
    return false;
  };
  if (is_made("memfd_create", make_in_memory(name, bytes, fd_))) return;
  for (const std::string& folder : folders()) {
    if (is_made(folder, make_in_folder(folder, name, bytes, fd_))) return;
  }
  throw std::runtime_error("no file of " + std::to_string(bytes >> 10) + " KiB for " + name +
                           " can be made: " + refusals);
}

MemoryFile::~MemoryFile() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace azr::executor
