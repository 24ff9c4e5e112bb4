#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "executor/fuzz/targets.h"
#include "executor/session/state_file.h"

namespace azr::fuzz {
namespace {

using namespace azr::executor;  // NOLINT(google-build-using-namespace): this file drives it

constexpr std::string_view kKey = "image";
constexpr uint64_t kImageBytes = 4 * kWasmPageBytes;
constexpr StateFit kFit{kKey, kImageBytes, 1 << 16};

void add_pages(State& state, Chance& chance) {
  for (uint32_t number = 0; number < kImageBytes / kPageBytes; ++number) {
    if (!chance.one_in(8)) continue;
    const uint64_t mask = uint64_t{1} << chance.below(64);
    std::vector<uint8_t> block(Page::kBlockBytes, static_cast<uint8_t>(chance.next()));
    state.add(number, std::make_shared<const Page>(mask, std::move(block), *state.account));
  }
}

void add_files(KeptFiles& files, Account& account, Chance& chance) {
  const uint64_t count = chance.below(4);
  for (uint64_t i = 0; i < count; ++i) {
    const auto data = std::make_shared<const Contents>(std::string(chance.below(50), 'a'), account);
    files.nodes.push_back({"file" + std::to_string(i), chance.one_in(2), false, i, data});
    files.files.push_back({true, true, true, false, chance.edge(), static_cast<int32_t>(i)});
  }
}

}  // namespace

void saved_state(Chance& chance) {
  auto account = std::make_shared<Account>();
  {
    State state(account);
    state.memory_bytes = kImageBytes;
    add_pages(state, chance);
    add_files(state.files, *account, chance);
    state.count();
    std::string packed = pack_state(state, kKey);
    const bool is_whole = chance.one_in(10);
    if (!is_whole) chance.mutate(packed);
    try {
      const auto read = unpack_state(packed, kFit, account);
      require(pack_state(*read, kKey) == packed, "a state is written as it was read");
      require(read->bytes() <= packed.size() + 200'000, "a state is not larger than its bytes say");
    } catch (const std::invalid_argument&) {
      require(!is_whole, "a state that was written can be read");
    }
  }
  require(account->bytes == 0, "what is dropped is not counted any more");
}

}  // namespace azr::fuzz
