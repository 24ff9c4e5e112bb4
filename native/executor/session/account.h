// What the states of sessions hold together.
#pragma once

#include <atomic>
#include <cstdint>

namespace azr::executor {

// How many bytes the states of one pool hold together.
struct Account {
  std::atomic<uint64_t> bytes = 0;
};

}  // namespace azr::executor
