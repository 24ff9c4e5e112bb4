// A state as bytes, to be kept or moved to another pool with the same image.
//
// The bytes are guest memory, and may come from anybody: every count, number and index is checked,
// and pages land in guest memory only. A program could have made any state itself, so a forged one
// gains nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "executor/session/state.h"

namespace azr::executor {

// `image_key` names the image that the state differs from.
std::string pack_state(const State& state, std::string_view image_key);

// What a state that is read back must fit.
struct StateFit {
  std::string_view image_key;
  uint64_t image_bytes;  // of its memory
  uint64_t max_bytes;    // of the state
};

// Throws std::invalid_argument, which says what is wrong.
std::shared_ptr<State> unpack_state(std::string_view packed, const StateFit& fit,
                                    std::shared_ptr<Account> account);

}  // namespace azr::executor
