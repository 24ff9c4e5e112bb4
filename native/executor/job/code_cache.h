// Remembers what the compile stage said about a source: bytecode, or why there is none.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "executor/pool/outcome.h"

namespace azr::executor {

// The compile stage's answer. Bytecode is opaque to the host: a guest made it and only a guest
// loads it.
struct CompiledCode {
  Outcome outcome = Outcome::kReturned;  // kReturned: `payload` is marshalled code
  std::string payload;                   // otherwise the error text
  std::string display;                   // of a syntax error, as an interpreter shows it
};

// Least recently used entries go first. Thread-safe: everything is guarded by mutex_.
class CodeCache {
 public:
  explicit CodeCache(size_t max_bytes) : max_bytes_(max_bytes) {}

  std::shared_ptr<const CompiledCode> find(std::string_view key);
  void put(std::string key, std::shared_ptr<const CompiledCode> code);

 private:
  struct Entry {
    std::string key;
    std::shared_ptr<const CompiledCode> code;
    size_t bytes() const { return key.size() + code->payload.size() + code->display.size() + 200; }
  };

  std::mutex mutex_;
  size_t max_bytes_;
  size_t bytes_ = 0;
  std::list<Entry> entries_;  // most recent first; the map's keys point into them
  std::unordered_map<std::string_view, std::list<Entry>::iterator> index_;
};

}  // namespace azr::executor
