// The signal handlers by which a fault of the guest becomes a trap.
//
// Wasmtime installs them once for the process. Another library may put its own in their place later
// (Ray does, and Python's faulthandler); the guest's next fault would then end the process. So a
// worker looks before each run, which costs three system calls, and puts them back; and
// whoever stops a run looks before it takes the memory away.
//
// Behind wasmtime's handler of SIGSEGV is one of ours, for runs whose memory is taken away
// (Slot::close). Wasmtime makes a trap of every fault that it knows how to leave: those of the
// guest's own loads and stores. It passes on the others, of the host's code and of copies that
// wasmtime has put into the guest's code; ours gives the memory back, and they are done again.
#pragma once

#include "executor/memory/slot.h"

namespace azr::executor {

// Installs ours, once. Wasmtime installs its own with the first engine of a process, and passes on
// to what it finds then, so ours must be there before. `wasmtime` is a function of its library.
// Throws std::runtime_error when another user of that library in this process came first, or the
// machine refuses.
void put_handler_behind(const void* wasmtime);

// The slot of the guest that this thread runs; null: none does.
void retry_faults_of(Slot* slot);

// Remembers a signal's handler as it is now. Called when wasmtime has installed its own, and when
// ours has been put before that.
void note_trap_handler(int signal);

// Remembers the handlers of all signals that wasmtime makes traps of. Throws std::runtime_error
// when they are not wasmtime's: then another user of it came first.
void note_trap_handlers();

// Puts the handlers back that another library has taken the place of. Thread-safe.
void keep_trap_handlers();

}  // namespace azr::executor
