// What is fuzzed. Each target runs one input; a fault is the sanitizer's report or a broken claim,
// which ends the process.
#pragma once

#include <cstdio>
#include <cstdlib>

#include "executor/fuzz/chance.h"

namespace azr::fuzz {

// A claim about the code under test, checked in every build.
inline void require(bool holds, const char* claim) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: broken: %s\n", claim);
  std::abort();
}

void host_call(Chance& chance);    // one import, random arguments, a memory full of them
void value_text(Chance& chance);   // a reply frame, made well and then spoiled
void literal(Chance& chance);      // a literal and an argument list, likewise
void audit(Chance& chance);        // a module, likewise
void saved_state(Chance& chance);  // a session's saved state, likewise

}  // namespace azr::fuzz
