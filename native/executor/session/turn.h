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

  // Whether the session has more memory than the image.
  bool grows(const Slot& slot) const;
  // Throws MachineFailure when the machine refuses the memory.
  void enter(Slot& slot, GuestIo& io) const;
  void leave(Seat& seat, const GuestIo& io, const std::shared_ptr<Account>& account);
};

}  // namespace azr::executor
