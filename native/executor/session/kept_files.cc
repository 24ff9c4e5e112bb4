#include "executor/session/kept_files.h"

#include <algorithm>
#include <unordered_map>

namespace azr::executor {
namespace {

// The contents as they were kept before, where they are the same.
std::shared_ptr<const std::string> data_of(const TmpNode& node, const KeptFiles* before) {
  if (before != nullptr) {
    const auto same = [&node](const KeptFiles::Node& other) {
      return other.number == node.number && *other.data == node.data();
    };
    const auto found = std::ranges::find_if(before->nodes, same);
    if (found != before->nodes.end()) return found->data;
  }
  return std::make_shared<const std::string>(node.data());
}

}  // namespace

uint64_t KeptFiles::bytes() const {
  uint64_t total = 0;
  for (const Node& node : nodes) {
    total += TmpFiles::kNodeBytes + node.path.size() + node.data->size();
  }
  return total;
}

KeptFiles keep_files(const GuestIo& io, const KeptFiles* before) {
  KeptFiles kept;
  std::unordered_map<const TmpNode*, int32_t> places;
  const auto keep = [&](const std::string& path, bool has_name, const TmpNode& node) {
    const auto [place, is_new] = places.try_emplace(&node, static_cast<int32_t>(kept.nodes.size()));
    if (is_new) {
      kept.nodes.push_back({path, has_name, node.is_folder, node.number, data_of(node, before)});
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
    nodes.push_back(io.tmp.put(node.path, node.has_name, node.is_folder, node.number, *node.data));
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
