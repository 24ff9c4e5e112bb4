#include "executor/session/state_file.h"

#include <bit>
#include <cstring>
#include <set>
#include <stdexcept>
#include <utility>
#include <vector>

#include "executor/wasi/wasi_files.h"

namespace azr::executor {
namespace {

constexpr std::string_view kMagic = "azr-state-1\n";
constexpr size_t kMaxPath = 1024;
constexpr uint64_t kMaxFuel = uint64_t{1} << 62;
constexpr uint64_t kMaxFileNumber = uint64_t{1} << 62;

// Bits of a node and of an open file.
constexpr uint8_t kHasName = 1, kIsFolder = 2;
constexpr uint8_t kIsOpen = 1, kReads = 2, kWrites = 4, kAppends = 8;

template <typename T>
void put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void put_text(std::string& out, std::string_view text) {
  put(out, static_cast<uint32_t>(text.size()));
  out += text;
}

[[noreturn]] void refuse(const std::string& why) { throw std::invalid_argument(why); }

void require(bool is_right, const char* why) {
  if (!is_right) refuse(std::string("the saved session is damaged: ") + why);
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}

  std::string_view take(uint64_t count) {
    require(count <= left_.size(), "it ends too early");
    const std::string_view taken = left_.substr(0, count);
    left_.remove_prefix(count);
    return taken;
  }
  template <typename T>
  T number() {
    T value;
    std::memcpy(&value, take(sizeof(value)).data(), sizeof(value));
    return value;
  }
  std::string_view text() { return take(number<uint32_t>()); }
  // A count of items that take so many bytes each, which must be there.
  uint32_t count(size_t item_bytes) {
    const auto items = number<uint32_t>();
    require(items <= left_.size() / item_bytes, "it ends too early");
    return items;
  }
  bool is_empty() const { return left_.empty(); }

 private:
  std::string_view left_;
};

void put_files(std::string& out, const KeptFiles& files) {
  put(out, files.next_number);
  put(out, static_cast<uint32_t>(files.nodes.size()));
  for (const KeptFiles::Node& node : files.nodes) {
    put<uint8_t>(out, (node.has_name ? kHasName : 0) | (node.is_folder ? kIsFolder : 0));
    put(out, node.number);
    put_text(out, node.path);
    put_text(out, node.data->text());
  }
  put(out, static_cast<uint32_t>(files.files.size()));
  for (const KeptFiles::Open& file : files.files) {
    put<uint8_t>(out, (file.is_open ? kIsOpen : 0) | (file.reads ? kReads : 0) |
                          (file.writes ? kWrites : 0) | (file.appends ? kAppends : 0));
    put(out, file.at);
    put(out, file.node);
  }
}

void read_nodes(Reader& reader, KeptFiles& files, Account& account) {
  std::set<std::string_view> names;
  std::set<uint64_t> numbers;
  const uint32_t count = reader.count(1);
  require(count <= TmpFiles::kMaxNodes + wasi::kMaxFiles, "it has too many files");
  for (uint32_t i = 0; i < count; ++i) {
    const auto bits = reader.number<uint8_t>();
    const auto number = reader.number<uint64_t>();
    const std::string_view path = reader.text();
    const bool has_name = (bits & kHasName) != 0;
    const bool is_folder = (bits & kIsFolder) != 0;
    const auto data = std::make_shared<const Contents>(reader.text(), account);
    require(bits <= (kHasName | kIsFolder), "a file's kind");
    require(path.size() <= kMaxPath && (!has_name || !path.empty()), "a file's name");
    require(!has_name || names.insert(path).second, "two files have one name");
    require(number < files.next_number && numbers.insert(number).second, "a file's number");
    require(!is_folder || data->text().empty(), "a folder has contents");
    files.nodes.push_back({std::string(path), has_name, is_folder, number, data});
  }
  require(names.size() <= TmpFiles::kMaxNodes, "it has too many files");
}

KeptFiles read_files(Reader& reader, Account& account) {
  KeptFiles files;
  files.next_number = reader.number<uint64_t>();
  require(files.next_number <= kMaxFileNumber, "the number of its files");
  read_nodes(reader, files, account);
  require(files.bytes() <= TmpFiles::kMaxBytes + wasi::kMaxFiles * TmpFiles::kNodeBytes,
          "its files are too large");
  const uint32_t count = reader.count(1);
  require(count <= wasi::kMaxFiles, "it has too many open files");
  for (uint32_t i = 0; i < count; ++i) {
    const auto bits = reader.number<uint8_t>();
    const auto at = reader.number<uint64_t>();
    const auto node = reader.number<int32_t>();
    require(bits <= (kIsOpen | kReads | kWrites | kAppends), "an open file's kind");
    require(node >= KeptFiles::kLibrary && node < static_cast<int64_t>(files.nodes.size()),
            "an open file");
    files.files.push_back({(bits & kIsOpen) != 0, (bits & kReads) != 0, (bits & kWrites) != 0,
                           (bits & kAppends) != 0, at, node});
  }
  return files;
}

void require_fit(uint64_t bytes, const StateFit& fit) {
  if (bytes <= fit.max_bytes) return;
  refuse("the saved session has more than the " + std::to_string(fit.max_bytes) +
         " bytes that are allowed here");
}

void read_pages(Reader& reader, const StateFit& fit, State& state) {
  const uint64_t size = state.memory_bytes;
  require(size % kWasmPageBytes == 0 && size >= fit.image_bytes && size <= kReservedBytes,
          "the size of its memory");
  std::vector<uint32_t> numbers(reader.count(sizeof(uint32_t) + sizeof(uint64_t)));
  for (uint32_t& number : numbers) number = reader.number<uint32_t>();
  for (size_t i = 0; i < numbers.size(); ++i) {
    require(numbers[i] < size / kPageBytes, "the number of a page");
    require(i == 0 || numbers[i] > numbers[i - 1], "the order of its pages");
    const auto mask = reader.number<uint64_t>();
    const std::string_view bytes = reader.take(std::popcount(mask) * Page::kBlockBytes);
    std::vector<uint8_t> blocks(bytes.begin(), bytes.end());
    state.add(numbers[i], std::make_shared<const Page>(mask, std::move(blocks), *state.account));
    require_fit(state.page_bytes, fit);
  }
}

}  // namespace

std::string pack_state(const State& state, std::string_view image_key) {
  std::string out(kMagic);
  put_text(out, image_key);
  put(out, state.turns);
  put(out, state.fuel);
  put(out, state.clock_ns);
  put(out, state.entropy);
  put(out, state.memory_bytes);
  put(out, static_cast<uint32_t>(state.numbers.size()));
  for (const uint32_t number : state.numbers) put(out, number);
  for (const PagePtr& page : state.pages) {
    put(out, page->mask());
    out.append(page->blocks().begin(), page->blocks().end());
  }
  put_files(out, state.files);
  return out;
}

std::shared_ptr<State> unpack_state(std::string_view packed, const StateFit& fit,
                                    std::shared_ptr<Account> account) {
  if (!packed.starts_with(kMagic)) refuse("this is no saved session of this version");
  Reader reader(packed.substr(kMagic.size()));
  const std::string_view key = reader.text();
  if (key != fit.image_key) {
    refuse("the session was saved in another image (other packages, or another version)");
  }
  auto state = std::make_shared<State>(std::move(account));
  state->turns = reader.number<uint32_t>();
  state->fuel = reader.number<uint64_t>();
  state->clock_ns = reader.number<uint64_t>();
  state->entropy = reader.number<uint64_t>();
  state->memory_bytes = reader.number<uint64_t>();
  require(state->turns < UINT32_MAX && state->fuel <= kMaxFuel, "the account of its turns");
  require(state->entropy != 0, "its entropy");
  read_pages(reader, fit, *state);
  state->files = read_files(reader, *state->account);
  require(reader.is_empty(), "something follows its end");
  state->count();
  require_fit(state->bytes(), fit);
  return state;
}

}  // namespace azr::executor
