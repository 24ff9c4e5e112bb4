// A session's /tmp and open files between two turns.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "executor/engine/guest_io.h"
#include "executor/session/account.h"

namespace azr::executor {

// A file's bytes, which states share: counted once, as a page is. The account outlives it.
class Contents {
 public:
  Contents(std::string_view text, Account& account) : text_(text), account_(account) {
    account_.bytes += text_.size();
  }
  ~Contents() { account_.bytes -= text_.size(); }
  Contents(const Contents&) = delete;
  Contents& operator=(const Contents&) = delete;

  const std::string& text() const { return text_; }

 private:
  std::string text_;
  Account& account_;
};

using ContentsPtr = std::shared_ptr<const Contents>;

// Never changes once it is made. Contents that a turn left alone are shared with the state before.
struct KeptFiles {
  static constexpr int32_t kLibrary = -1;  // the library's zip, which is open but is no node

  struct Node {
    std::string path;
    bool has_name;  // false: removed, but still open
    bool is_folder;
    uint64_t number;  // no other node has it
    ContentsPtr data;
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

  uint64_t own_bytes() const;  // without the contents, which may be others', too
  uint64_t bytes() const;
};

// What a run has left. `before`: of the turn before, or null.
KeptFiles keep_files(const GuestIo& io, const KeptFiles* before, Account& account);

// Gives a run what was kept; it has no files yet.
void give_files(const KeptFiles& kept, GuestIo& io);

}  // namespace azr::executor
