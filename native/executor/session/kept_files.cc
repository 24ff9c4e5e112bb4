#include "executor/session/kept_files.h"

#include <unordered_map>

namespace azr::executor {
namespace {

// The contents that a session's files had before a turn.
class Known {
 public:
  explicit Known(const KeptFiles* before) {
    if (before == nullptr) return;
    for (const KeptFiles::Node& node : before->nodes) by_number_.emplace(node.number, node.data);
  }

  // The contents as they were kept before, where they are the same.
  ContentsPtr keep(const TmpNode& node, Account& account) const {
    const auto known = by_number_.find(node.number);
    if (known != by_number_.end() && known->second->text() == node.data()) return known->second;
    return std::make_shared<const Contents>(node.data(), account);
  }

 private:
  std::unordered_map<uint64_t, ContentsPtr> by_number_;
};

}  // namespace

uint64_t KeptFiles::own_bytes() const {
  uint64_t total = files.capacity() * sizeof(Open);
  for (const Node& node : nodes) total += TmpFiles::kNodeBytes + node.path.size();
  return total;
}

uint64_t KeptFiles::bytes() const {
  uint64_t total = own_bytes();
  for (const Node& node : nodes) total += node.data->text().size();
  return total;
}

KeptFiles keep_files(const GuestIo& io, const KeptFiles* before, Account& account) {
  KeptFiles kept;
  const Known known(before);
  std::unordered_map<const TmpNode*, int32_t> places;
  const auto keep = [&](const std::string& path, bool has_name, const TmpNode& node) {
    const auto [place, is_new] = places.try_emplace(&node, static_cast<int32_t>(kept.nodes.size()));
    if (is_new) {
      kept.nodes.push_back(
          {path, has_name, node.is_folder, node.number, known.keep(node, account)});
    }
    return place->second;
  };
  for (const auto& [path, node] : io.tmp.nodes()) keep(path, true, *node);
  for (const OpenFile& file : io.files) {
    int32_t place = KeptFiles::kLibrary;
    if (file.node != nullptr) place = keep(file.node->path, false, *file.node);
    kept.files.push_back({file.is_open, file.reads, file.writes, file.appends, file.at, place});
  }
  kept.next_number = io.tmp.next_number();
  return kept;
}

void give_files(const KeptFiles& kept, GuestIo& io) {
  std::vector<TmpNodePtr> nodes;
  for (const KeptFiles::Node& node : kept.nodes) {
    nodes.push_back(
        io.tmp.put(node.path, node.has_name, node.is_folder, node.number, node.data->text()));
  }
  for (const KeptFiles::Open& file : kept.files) {
    OpenFile& open = io.files.emplace_back();
    open.is_open = file.is_open;
    open.at = file.at;
    if (file.node != KeptFiles::kLibrary) open.node = nodes.at(static_cast<size_t>(file.node));
    open.reads = file.reads;
    open.writes = file.writes;
    open.appends = file.appends;
  }
  io.tmp.set_next_number(kept.next_number);
}

}  // namespace azr::executor
