#include "executor/wasi/wasi_paths.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "executor/wasi/wasi_files.h"

namespace azr::executor::wasi {
namespace {

constexpr std::string_view kRootPath = "/usr/local/lib";
constexpr std::string_view kTmpPath = "/tmp";
constexpr std::string_view kZipName = "python315.zip";
constexpr size_t kMaxName = 255;
constexpr size_t kMaxPath = 1024;

// Of a folder's descriptor: what names below it begin with.
std::string_view prestat_path(uint32_t fd) {
  if (fd == kRoot) return kRootPath;
  return fd == kTmp ? kTmpPath : std::string_view();
}

Errno look_up_library(std::string_view path, FileType* type) {
  *type = path.empty() || path == "." ? kDirectory : kRegularFile;
  if (*type == kDirectory || path == kZipName) return kOk;
  // A path below the zip must say "not a directory", or zipimport gives up on the zip.
  const bool below_zip =
      path.size() > kZipName.size() && path.starts_with(kZipName) && path[kZipName.size()] == '/';
  return below_zip ? kNotDirectory : kNoEntry;
}

// Adds the path's names to a folder's; ".." takes one away, and never leaves /tmp.
Errno join(std::string_view path, std::string& folder) {
  if (path.size() > kMaxPath) return kNameTooLong;
  while (!path.empty()) {
    const size_t slash = std::min(path.find('/'), path.size());
    const std::string_view name = path.substr(0, slash);
    path.remove_prefix(std::min(slash + 1, path.size()));
    if (name.empty() || name == ".") continue;
    if (name.size() > kMaxName) return kNameTooLong;
    if (name == "..") {
      if (folder.empty()) return kNotCapable;
      const size_t last = folder.rfind('/');
      folder.resize(last == std::string::npos ? 0 : last);
    } else {
      folder.append(folder.empty() ? "" : "/").append(name);
    }
  }
  return folder.size() > kMaxPath ? kNameTooLong : kOk;
}

// Where a path of the guest's leads.
struct Place {
  bool is_library = false;
  std::string_view library_path;
  std::string path;  // in /tmp
};

Errno resolve(HostCall& call, uint32_t fd, uint32_t at, uint32_t length, Place& place) {
  if (!call.in_bounds(at, length)) return kFault;
  const std::string_view path(reinterpret_cast<const char*>(call.memory(at)), length);
  if (fd == kRoot) {
    place.is_library = true;
    place.library_path = path;
    return kOk;
  }
  if (fd != kTmp) {
    const OpenFile* file = file_at(call.io, fd);
    if (file == nullptr) return kBadFd;
    if (file->node == nullptr || !file->node->is_folder) return kNotDirectory;
    place.path = file->node->path;
  }
  return join(path, place.path);
}

// As resolve, for what is to be changed: a place in /tmp, and not /tmp itself.
Errno resolve_own(HostCall& call, size_t first, Place& place) {
  const Errno error =
      resolve(call, call.u32(first), call.u32(first + 1), call.u32(first + 2), place);
  if (error != kOk) return error;
  if (place.is_library) return kReadOnly;
  return place.path.empty() ? kInvalid : kOk;
}

Errno open_library(HostCall& call, std::string_view path) {
  constexpr uint32_t kChanging = 1 | 4 | 8;  // create, exclusively, truncate
  constexpr int64_t kRightToWrite = 1 << 6;
  if ((call.u32(4) & kChanging) != 0 || (call.i64(5) & kRightToWrite) != 0) return kReadOnly;
  FileType type{};
  const Errno error = look_up_library(path, &type);
  if (error != kOk) return error;
  if (type == kDirectory) return kIsDirectory;
  uint32_t fd = 0;
  OpenFile* file = free_file(call.io, &fd);
  if (file == nullptr) return kTooManyFiles;
  file->is_open = true;
  call.store<uint32_t>(call.u32(8), fd);
  return kOk;
}

// The file or folder that is to be opened, made if it is to be.
Errno find_or_make(HostCall& call, const std::string& path, bool writes, TmpNodePtr& node) {
  constexpr uint32_t kCreate = 1;
  constexpr uint32_t kFolder = 2;
  constexpr uint32_t kExclusive = 4;
  const uint32_t flags = call.u32(4);
  node = call.io.tmp.find(path);
  if (node == nullptr) {
    if ((flags & kCreate) == 0 || !call.io.tmp.has_parent(path)) return kNoEntry;
    node = call.io.tmp.make(path, false);
    return node == nullptr ? kNoSpace : kOk;
  }
  if ((flags & kCreate) != 0 && (flags & kExclusive) != 0) return kExists;
  if (node->is_folder) return writes ? kIsDirectory : kOk;
  return (flags & kFolder) != 0 ? kNotDirectory : kOk;
}

Errno open_tmp(HostCall& call, const std::string& path) {
  constexpr uint32_t kTruncate = 8;
  constexpr int64_t kRightToRead = 1 << 1;
  constexpr int64_t kRightToWrite = 1 << 6;
  const bool writes = (call.i64(5) & kRightToWrite) != 0;
  uint32_t fd = 0;
  OpenFile* file = free_file(call.io, &fd);
  if (file == nullptr) return kTooManyFiles;
  TmpNodePtr node;
  if (const Errno error = find_or_make(call, path, writes, node); error != kOk) return error;
  if ((call.u32(4) & kTruncate) != 0 && !node->is_folder) node->resize(0, call.io.tmp.cap);
  *file = {true, 0, node, (call.i64(5) & kRightToRead) != 0, writes, (call.u32(7) & 1) != 0};
  call.store<uint32_t>(call.u32(8), fd);
  return kOk;
}

}  // namespace

int32_t fd_prestat_get(HostCall& call) {
  const std::string_view path = prestat_path(call.u32(0));
  if (path.empty()) return kBadFd;
  if (!call.in_bounds(call.u32(1), 8)) return kFault;
  call.store<uint32_t>(call.u32(1), 0);
  call.store<uint32_t>(call.u32(1) + uint64_t{4}, static_cast<uint32_t>(path.size()));
  return kOk;
}

int32_t fd_prestat_dir_name(HostCall& call) {
  const std::string_view path = prestat_path(call.u32(0));
  if (path.empty()) return kBadFd;
  const size_t length = std::min<size_t>(call.u32(2), path.size());
  if (!call.in_bounds(call.u32(1), length)) return kFault;
  std::memcpy(call.memory(call.u32(1)), path.data(), length);
  return kOk;
}

// Entries from the cookie's number on, as many as fit; the last may be cut off.
int32_t fd_readdir(HostCall& call) {
  constexpr uint64_t kHeadBytes = 24;
  const uint64_t room = call.u32(2);
  if (!call.in_bounds(call.u32(1), room) || !call.in_bounds(call.u32(4), 4)) return kFault;
  uint64_t used = 0;
  if (call.u32(0) != kRoot) {
    Place place;
    if (const Errno error = resolve(call, call.u32(0), 0, 0, place); error != kOk) return error;
    if (!call.pay(call.io.tmp.count() * kFuelPerName)) return kFault;
    const auto entries = call.io.tmp.list(place.path);
    for (auto i = static_cast<uint64_t>(call.i64(3)); i < entries.size() && used < room; ++i) {
      const auto& [name, node] = entries[i];
      std::string entry(kHeadBytes, '\0');
      const uint64_t next = i + 1;
      const auto length = static_cast<uint32_t>(name.size());
      std::memcpy(entry.data(), &next, 8);
      std::memcpy(entry.data() + 8, &node->number, 8);
      std::memcpy(entry.data() + 16, &length, 4);
      entry[20] = static_cast<char>(node->is_folder ? kDirectory : kRegularFile);
      entry += name;
      const size_t part = std::min<uint64_t>(entry.size(), room - used);
      if (!call.pay_for_bytes(part)) return kFault;
      std::memcpy(call.memory(call.u32(1) + used), entry.data(), part);
      used += part;
    }
  }
  call.store<uint32_t>(call.u32(4), static_cast<uint32_t>(used));
  return kOk;
}

int32_t path_filestat_get(HostCall& call) {
  Place place;
  Errno error = resolve(call, call.u32(0), call.u32(2), call.u32(3), place);
  if (error != kOk) return error;
  if (!place.is_library) {
    const TmpNodePtr node = call.io.tmp.find(place.path);
    return node == nullptr ? kNoEntry : put_filestat(call, call.u32(4), *node);
  }
  FileType type{};
  error = look_up_library(place.library_path, &type);
  if (error != kOk) return error;
  const uint64_t size = type == kRegularFile ? call.io.zip.size() : 0;
  return put_filestat(call, call.u32(4), type, size, type);
}

int32_t path_filestat_set_times(HostCall& call) {
  Place place;
  const Errno error = resolve(call, call.u32(0), call.u32(2), call.u32(3), place);
  if (error != kOk) return error;
  if (place.is_library) return kReadOnly;
  return call.io.tmp.find(place.path) == nullptr ? kNoEntry : kOk;
}

int32_t path_open(HostCall& call) {
  Place place;
  const Errno error = resolve(call, call.u32(0), call.u32(2), call.u32(3), place);
  if (error != kOk) return error;
  if (!call.in_bounds(call.u32(8), 4)) return kFault;
  return place.is_library ? open_library(call, place.library_path) : open_tmp(call, place.path);
}

int32_t path_create_directory(HostCall& call) {
  Place place;
  if (const Errno error = resolve_own(call, 0, place); error != kOk) return error;
  if (call.io.tmp.find(place.path) != nullptr) return kExists;
  if (!call.io.tmp.has_parent(place.path)) return kNoEntry;
  return call.io.tmp.make(place.path, true) == nullptr ? kNoSpace : kOk;
}

int32_t path_remove_directory(HostCall& call) {
  Place place;
  if (const Errno error = resolve_own(call, 0, place); error != kOk) return error;
  const TmpNodePtr node = call.io.tmp.find(place.path);
  if (node == nullptr) return kNoEntry;
  if (!node->is_folder) return kNotDirectory;
  if (!call.io.tmp.is_empty(place.path)) return kNotEmpty;
  call.io.tmp.remove(place.path);
  return kOk;
}

int32_t path_unlink_file(HostCall& call) {
  Place place;
  if (const Errno error = resolve_own(call, 0, place); error != kOk) return error;
  const TmpNodePtr node = call.io.tmp.find(place.path);
  if (node == nullptr) return kNoEntry;
  if (node->is_folder) return kIsDirectory;
  call.io.tmp.remove(place.path);
  return kOk;
}

// A file, or an empty folder: what a folder holds does not move with it.
int32_t path_rename(HostCall& call) {
  Place from;
  Place to;
  if (const Errno error = resolve_own(call, 0, from); error != kOk) return error;
  if (const Errno error = resolve_own(call, 3, to); error != kOk) return error;
  TmpFiles& tmp = call.io.tmp;
  const TmpNodePtr node = tmp.find(from.path);
  if (node == nullptr || !tmp.has_parent(to.path)) return kNoEntry;
  if (to.path == from.path) return kOk;
  if (to.path.starts_with(from.path + "/")) return kInvalid;
  if (node->is_folder && !tmp.is_empty(from.path)) return kNotEmpty;
  if (const TmpNodePtr old = tmp.find(to.path); old != nullptr) {
    if (old->is_folder != node->is_folder) return old->is_folder ? kIsDirectory : kNotDirectory;
    if (old->is_folder && !tmp.is_empty(to.path)) return kNotEmpty;
  }
  tmp.rename(from.path, to.path);
  return kOk;
}

}  // namespace azr::executor::wasi
