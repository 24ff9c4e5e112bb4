// The signal handlers by which a fault of the guest becomes a trap.
//
// Wasmtime installs them once for the process. Another library may put its own in their place later
// (Ray does, and Python's faulthandler); the guest's next fault would then end the process. So a
// worker looks before each run, which costs three system calls, and puts them back.
#pragma once

namespace azr::executor {

// Remembers a signal's handler as it is now. Called when wasmtime has installed its own, and when
// ours has been put before that.
void note_trap_handler(int signal);

// Remembers the handlers of all signals that wasmtime makes traps of.
void note_trap_handlers();

// Puts the handlers back that another library has taken the place of. Thread-safe.
void keep_trap_handlers();

}  // namespace azr::executor
