// A session's /tmp and open files between two turns.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "executor/engine/guest_io.h"

namespace azr::executor {

// Never changes once it is made. Contents that a turn left alone are shared with the state before.
struct KeptFiles {
  static constexpr int32_t kLibrary = -1;  // the library's zip, which is open but is no node

  struct Node {
    std::string path;
    bool has_name;  // false: removed, but still open
    bool is_folder;
    uint64_t number;
    std::shared_ptr<const std::string> data;
  };
  struct Open {
    bool is_open;
    bool reads;
    bool writes;
    bool appends;
    uint64_t at;
    int32_t node;  // index of `nodes`, or kLibrary
  };

  std::vector<Node> nodes;
  std::vector<Open> files;
  uint64_t next_number = TmpFiles::kFirstNumber;

  uint64_t bytes() const;
};

// What a run has left. `before`: of the turn before, or null.
KeptFiles keep_files(const GuestIo& io, const KeptFiles* before);

// Gives a run what was kept; it has no files yet.
void give_files(const KeptFiles& kept, GuestIo& io);

}  // namespace azr::executor
