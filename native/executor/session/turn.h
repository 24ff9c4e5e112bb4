// One turn of a session on its way through a worker's slot.
#pragma once

#include <cstdint>
#include <memory>

#include "executor/job/worker.h"

namespace azr::executor {

struct Worker::Turn {
  const State* before;  // null: the session's first turn
  uint64_t max_bytes;   // of the state that it may leave
  uint32_t flavor;
  std::shared_ptr<State> after;  // where the run ended by itself and left no more than that
  bool is_too_large = false;     // it left more
  uint64_t leave_price = 0;      // of finding that, in fuel; more than was left: it was not found

  // Fuel for entering.
  uint64_t price() const { return before == nullptr ? 0 : before->price(); }
  // Whether the session has more memory than the image.
  bool grows(const Slot& slot) const;
  // Throws MachineFailure when the machine refuses the memory.
  void enter(Slot& slot, GuestIo& io) const;
  // `fuel_left`: what the run did not use.
  void leave(Seat& seat, const GuestIo& io, const std::shared_ptr<Account>& account,
             uint64_t fuel_left);
};

}  // namespace azr::executor
