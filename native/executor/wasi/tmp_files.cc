#include "executor/wasi/tmp_files.h"

#include <cstring>
#include <utility>

namespace azr::executor {

TmpNode::TmpNode(bool folder, uint64_t its_number, std::shared_ptr<uint64_t> used)
    : is_folder(folder), number(its_number), used_(std::move(used)) {
  *used_ += TmpFiles::kNodeBytes;
}

TmpNode::~TmpNode() { *used_ -= TmpFiles::kNodeBytes + data_.size(); }

bool TmpNode::resize(uint64_t size, uint64_t cap) {
  const uint64_t others = *used_ - data_.size();
  if (size > data_.size() && (size > cap || others > cap - size)) return false;
  data_.resize(size);
  *used_ = others + size;
  return true;
}

void TmpNode::write(uint64_t at, const uint8_t* bytes, uint64_t count) {
  std::memcpy(data_.data() + at, bytes, count);
}

TmpNodePtr TmpFiles::find(const std::string& path) const {
  if (path.empty()) {
    static const TmpNodePtr kRoot =
        std::make_shared<TmpNode>(true, 1, std::make_shared<uint64_t>());
    return kRoot;
  }
  const auto found = nodes_.find(path);
  return found == nodes_.end() ? nullptr : found->second;
}

bool TmpFiles::has_parent(const std::string& path) const {
  const size_t slash = path.rfind('/');
  const TmpNodePtr parent = find(slash == std::string::npos ? "" : path.substr(0, slash));
  return parent != nullptr && parent->is_folder;
}

TmpNodePtr TmpFiles::make(const std::string& path, bool is_folder) {
  if (nodes_.size() >= kMaxNodes || *used_ + kNodeBytes > cap) return nullptr;
  auto node = std::make_shared<TmpNode>(is_folder, next_number_++, used_);
  node->path = path;
  nodes_[path] = node;
  return node;
}

void TmpFiles::remove(const std::string& path) { nodes_.erase(path); }

void TmpFiles::rename(const std::string& from, const std::string& to) {
  const TmpNodePtr node = nodes_.at(from);
  nodes_.erase(from);
  node->path = to;
  nodes_[to] = node;
}

bool TmpFiles::is_empty(const std::string& folder) const {
  const auto next = nodes_.upper_bound(folder + "/");
  return next == nodes_.end() || !next->first.starts_with(folder + "/");
}

std::vector<std::pair<std::string, TmpNodePtr>> TmpFiles::list(const std::string& folder) const {
  const std::string prefix = folder.empty() ? "" : folder + "/";
  std::vector<std::pair<std::string, TmpNodePtr>> found;
  for (auto at = nodes_.lower_bound(prefix); at != nodes_.end(); ++at) {
    if (!at->first.starts_with(prefix)) break;
    const std::string name = at->first.substr(prefix.size());
    if (name.find('/') == std::string::npos) found.emplace_back(name, at->second);
  }
  return found;
}

TmpNodePtr TmpFiles::put(const std::string& path, bool has_name, bool is_folder, uint64_t number,
                         std::string_view data) {
  auto node = std::make_shared<TmpNode>(is_folder, number, used_);
  node->path = path;
  node->resize(data.size(), UINT64_MAX);
  node->write(0, reinterpret_cast<const uint8_t*>(data.data()), data.size());
  if (has_name) nodes_[path] = node;
  return node;
}

void TmpFiles::clear() {
  if (nodes_.empty() && next_number_ == kFirstNumber) return;
  nodes_.clear();
  next_number_ = kFirstNumber;
}

}  // namespace azr::executor
