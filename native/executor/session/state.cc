#include "executor/session/state.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace azr::executor {
namespace {

// The part of the guest's stack that its C code may use (builder.cc). Between runs it is dead, so
// its pages are no part of a state: they hold the image's bytes when the next turn begins.
constexpr uint64_t kStackBytes = 6 << 20;

bool is_dead(uint32_t page, uint64_t stack_top) {
  const uint64_t bottom = stack_top > kStackBytes ? stack_top - kStackBytes : 0;
  return page * kPageBytes >= bottom && (page + uint64_t{1}) * kPageBytes <= stack_top;
}

// The page as the state before holds it, where the run left it alone.
PagePtr page_of(const State* before, size_t& at, uint32_t number, const uint8_t* bytes,
                Account& account) {
  if (before != nullptr) {
    while (at < before->numbers.size() && before->numbers[at] < number) ++at;
    const bool has_it = at < before->numbers.size() && before->numbers[at] == number;
    if (has_it && before->pages[at]->equals(bytes)) return before->pages[at];
  }
  return std::make_shared<const Page>(bytes, account);
}

}  // namespace

bool State::enter(Slot& slot, GuestIo& io) const {
  io.entropy = entropy;
  io.clock_ns = clock_ns;
  give_files(files, io);
  if (memory_bytes > slot.size() && !slot.grow(memory_bytes)) return false;
  for (size_t i = 0; i < pages.size(); ++i) {
    std::memcpy(slot.base() + numbers[i] * kPageBytes, pages[i]->data(), kPageBytes);
  }
  return true;
}

std::shared_ptr<State> leave(Slot& slot, const GuestIo& io, const Leaving& leaving,
                             std::shared_ptr<Account> account) {
  auto state = std::make_shared<State>(std::move(account));
  state->files = keep_files(io, leaving.before == nullptr ? nullptr : &leaving.before->files);
  state->numbers = slot.changed_pages(leaving.max_bytes / kPageBytes);
  const auto stack_top = static_cast<uint64_t>(leaving.stack_top);
  std::erase_if(state->numbers, [&](uint32_t page) { return is_dead(page, stack_top); });
  if (state->numbers.size() > leaving.max_bytes / kPageBytes) return nullptr;
  state->pages.reserve(state->numbers.size());
  size_t at = 0;
  for (const uint32_t number : state->numbers) {
    const uint8_t* bytes = slot.base() + number * kPageBytes;
    state->pages.push_back(page_of(leaving.before, at, number, bytes, *state->account));
  }
  state->flavor = leaving.flavor;
  state->memory_bytes = slot.size();
  state->entropy = io.entropy;
  state->clock_ns = io.clock_ns;
  state->count();
  return state->bytes() > leaving.max_bytes ? nullptr : state;
}

}  // namespace azr::executor
