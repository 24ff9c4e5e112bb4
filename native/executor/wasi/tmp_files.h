// The guest's /tmp: files and folders of one run, in the host's memory. No path of the host's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace azr::executor {

// A file or a folder. It lives while it has a name or is open, and its bytes count as long.
class TmpNode {
 public:
  TmpNode(bool is_folder, uint64_t number, std::shared_ptr<uint64_t> used);
  ~TmpNode();
  TmpNode(const TmpNode&) = delete;
  TmpNode& operator=(const TmpNode&) = delete;

  const bool is_folder;
  const uint64_t number;  // tells it from others: its inode
  std::string path;       // of a folder: where it is, without a slash at its ends
  const std::string& data() const { return data_; }
  // Makes the file so long, with zeros where it grows; false when that passes `cap` for all files.
  bool resize(uint64_t size, uint64_t cap);
  // Where `at + count` is within the file.
  void write(uint64_t at, const uint8_t* bytes, uint64_t count);

 private:
  std::string data_;
  std::shared_ptr<uint64_t> used_;  // by all nodes
};

using TmpNodePtr = std::shared_ptr<TmpNode>;

class TmpFiles {
 public:
  static constexpr uint64_t kMaxBytes = uint64_t{64} << 20;
  static constexpr size_t kMaxNodes = 1024;
  // What a file without contents takes.
  static constexpr uint64_t kNodeBytes = 512;
  static constexpr uint64_t kFirstNumber = 100;

  // The most that all files may take; set before a run.
  uint64_t cap = 0;

  // Of a path without "." and ".."; an empty one is /tmp itself. Null: there is none.
  TmpNodePtr find(const std::string& path) const;
  // Whether the folder that the path would be in is there.
  bool has_parent(const std::string& path) const;
  // Null when there are too many, or no room is left.
  TmpNodePtr make(const std::string& path, bool is_folder);
  void remove(const std::string& path);
  // Moves a file, or an empty folder.
  void rename(const std::string& from, const std::string& to);
  bool is_empty(const std::string& folder) const;
  // Names in a folder, in order.
  std::vector<std::pair<std::string, TmpNodePtr>> list(const std::string& folder) const;
  size_t count() const { return nodes_.size(); }
  uint64_t used_bytes() const { return *used_; }
  void clear();

  // What outlives a run of a session, and how the next one gets it back.
  const std::map<std::string, TmpNodePtr>& nodes() const { return nodes_; }
  uint64_t next_number() const { return next_number_; }
  void set_next_number(uint64_t number) { next_number_ = number; }
  TmpNodePtr put(const std::string& path, bool has_name, bool is_folder, uint64_t number,
                 std::string_view data);

 private:
  std::map<std::string, TmpNodePtr> nodes_;  // by path; a folder comes before what it holds
  std::shared_ptr<uint64_t> used_ = std::make_shared<uint64_t>(0);
  uint64_t next_number_ = kFirstNumber;
};

}  // namespace azr::executor
