// What an interpreter is between two turns of a session.
//
//   turn: slot (as its image) -> enter() -> a run -> leave() -> the slot is restored
//
// Of an instance only linear memory outlives a run (engine.h), so the state is the pages that
// differ from the image, and what the host keeps for the guest: clock, entropy, files. A state
// never changes: the next turn makes another one, which shares the pages that it left alone. So a
// fork is one more pointer to a state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "executor/engine/guest_io.h"
#include "executor/memory/slot.h"
#include "executor/session/kept_files.h"
#include "executor/session/page.h"

namespace azr::executor {

struct State {
  explicit State(std::shared_ptr<Account> its_account) : account(std::move(its_account)) {}
  ~State() { account->bytes -= counted_bytes; }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  std::shared_ptr<Account> account;  // before the pages and contents, which count themselves there
  uint32_t flavor = 0;               // whose first image it differs from
  uint64_t memory_bytes = 0;         // of linear memory
  std::vector<uint32_t> numbers;     // of the pages, ascending
  std::vector<PagePtr> pages;
  uint64_t page_bytes = 0;  // of them, shared ones included
  uint64_t entropy = 1;
  uint64_t clock_ns = 0;
  uint64_t fuel = 0;   // of all turns together
  uint32_t turns = 0;  // that left something
  KeptFiles files;
  uint64_t counted_bytes = 0;  // in the account, beside what counts itself there

  // Counts what is no other state's; once, when the state is made.
  void count();
  // With what it shares with others.
  uint64_t bytes() const { return page_bytes + list_bytes() + files.bytes(); }
  // Fuel for putting it into a slot.
  uint64_t price() const;
  void add(uint32_t number, PagePtr page) {
    numbers.push_back(number);
    page_bytes += page->bytes();
    pages.push_back(std::move(page));
  }

  // Gives a run this state: its files, clock and entropy, and its memory, in a slot that is as its
  // image after begin(). False when the slot cannot grow so far: it says why.
  bool enter(Slot& slot, GuestIo& io) const;

 private:
  static constexpr uint64_t kOverheadBytes = 1024;

  uint64_t list_bytes() const {
    return kOverheadBytes + numbers.capacity() * sizeof(uint32_t) +
           pages.capacity() * sizeof(PagePtr);
  }
};

using StatePtr = std::shared_ptr<const State>;

// The pages that a run has changed, in ascending order. `stack_top`: the guest's stack below it is
// dead. More pages than fit a state of `max_bytes` are not looked for.
std::vector<uint32_t> pages_left(Slot& slot, int32_t stack_top, uint64_t max_bytes);

// What a run that ended well left, to become a state. Its `fuel` and `turns` are the caller's.
struct Leaving {
  const State* before;  // null: the session's first turn
  const std::vector<uint32_t>& pages;
  uint64_t max_bytes;
  uint32_t flavor;
};

// Null when it would be larger than it may be.
std::shared_ptr<State> leave(Slot& slot, const GuestIo& io, const Leaving& leaving,
                             std::shared_ptr<Account> account);

}  // namespace azr::executor
