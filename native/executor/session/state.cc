#include "executor/session/state.h"

#include <array>
#include <bit>
#include <utility>

#include "executor/wasi/wasi_price.h"

namespace azr::executor {
namespace {

// The part of the guest's stack that its C code may use (builder.cc). Between runs it is dead, so
// its pages are no part of a state: they hold the image's bytes when the next turn begins.
constexpr uint64_t kStackBytes = 6 << 20;

bool is_dead(uint32_t page, uint64_t stack_top) {
  const uint64_t bottom = stack_top > kStackBytes ? stack_top - kStackBytes : 0;
  return page * kPageBytes >= bottom && (page + uint64_t{1}) * kPageBytes <= stack_top;
}

// A state in the making: pages in ascending order, shared with the state before where the run left
// them alone.
class Pages {
 public:
  Pages(const Slot& slot, const State* before, State& state)
      : image_(slot.image()), before_(before), state_(state) {}

  void add(uint32_t number, const uint8_t* bytes) {
    static constexpr std::array<uint8_t, kPageBytes> kZeros{};
    const size_t at = number * kPageBytes;
    const uint8_t* base = at < image_.size() ? image_.pristine() + at : kZeros.data();
    const uint64_t mask = Page::differing(bytes, base);
    const PagePtr* known = find(number);
    const bool is_known = known != nullptr && (*known)->equals(mask, bytes);
    state_.add(number, is_known ? *known : make(mask, bytes));
  }

 private:
  const PagePtr* find(uint32_t number) {
    if (before_ == nullptr) return nullptr;
    const std::vector<uint32_t>& numbers = before_->numbers;
    while (next_ < numbers.size() && numbers[next_] < number) ++next_;
    return next_ < numbers.size() && numbers[next_] == number ? &before_->pages[next_] : nullptr;
  }

  PagePtr make(uint64_t mask, const uint8_t* bytes) const {
    std::vector<uint8_t> blocks;
    blocks.reserve(std::popcount(mask) * Page::kBlockBytes);
    for (uint64_t left = mask; left != 0; left &= left - 1) {
      const uint8_t* block = bytes + std::countr_zero(left) * Page::kBlockBytes;
      blocks.insert(blocks.end(), block, block + Page::kBlockBytes);
    }
    return std::make_shared<const Page>(mask, std::move(blocks), *state_.account);
  }

  const Image& image_;
  const State* before_;
  size_t next_ = 0;  // of its pages
  State& state_;
};

}  // namespace

void State::count() {
  numbers.shrink_to_fit();
  pages.shrink_to_fit();
  files.files.shrink_to_fit();
  account->bytes += counted_bytes = list_bytes() + files.own_bytes();
}

uint64_t State::price() const {
  return pages.size() * wasi::kFuelPerKeptPage + files.bytes() * wasi::kFuelPerKeptFileByte;
}

bool State::enter(Slot& slot, GuestIo& io) const {
  io.entropy = entropy;
  io.clock_ns = clock_ns;
  give_files(files, io);
  if (memory_bytes > slot.size() && !slot.grow(memory_bytes)) return false;
  for (size_t i = 0; i < pages.size(); ++i) {
    pages[i]->overlay(slot.base() + numbers[i] * kPageBytes);
  }
  return true;
}

std::vector<uint32_t> pages_left(Slot& slot, int32_t stack_top, uint64_t max_bytes) {
  std::vector<uint32_t> pages = slot.changed_pages(max_bytes / Page::kBlockBytes);
  std::erase_if(pages, [stack_top](uint32_t page) {
    return is_dead(page, static_cast<uint64_t>(stack_top));
  });
  return pages;
}

std::shared_ptr<State> leave(Slot& slot, const GuestIo& io, const Leaving& leaving,
                             std::shared_ptr<Account> account) {
  auto state = std::make_shared<State>(std::move(account));
  const KeptFiles* files = leaving.before == nullptr ? nullptr : &leaving.before->files;
  state->files = keep_files(io, files, *state->account);
  Pages pages(slot, leaving.before, *state);
  for (const uint32_t number : leaving.pages) {
    pages.add(number, slot.base() + number * kPageBytes);
    if (state->page_bytes > leaving.max_bytes) return nullptr;
  }
  state->flavor = leaving.flavor;
  state->memory_bytes = slot.size();
  state->entropy = io.entropy;
  state->clock_ns = io.clock_ns;
  state->count();
  return state->bytes() > leaving.max_bytes ? nullptr : state;
}

}  // namespace azr::executor
