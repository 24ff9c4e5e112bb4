// Reads the instructions of a WebAssembly module.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace azr::executor {

// The bytes of a module, read one after the other. Throws std::runtime_error at their end.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes, size_t at = 0) : bytes_(bytes), at_(at) {}

  size_t at() const { return at_; }
  void jump(size_t at) { at_ = at; }
  bool done() const { return at_ >= bytes_.size(); }

  uint8_t byte();
  uint64_t uleb();
  void skip(int count);  // so many numbers

 private:
  std::string_view bytes_;
  size_t at_;
};

// Is told what a function's instructions do beside computing.
class Listener {
 public:
  Listener() = default;
  virtual ~Listener() = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // One that changes what outlives the call, other than by a store: "memory.grow".
  virtual void change_state(const std::string& /*name*/) {}
  // One that calls a function or refers to it, by the index that stands at `at`.
  virtual void name_function(size_t /*at*/) {}
};

// Calls `see(begin, end)` for the body of each function that the module defines. Throws
// std::runtime_error when `wasm` is not a module.
void for_each_body(std::string_view wasm, const std::function<void(size_t, size_t)>& see);

// Decodes one body; false at an unknown instruction. Reads nothing behind its end.
bool decode_body(std::string_view wasm, size_t begin, size_t end, Listener& listener);

}  // namespace azr::executor
