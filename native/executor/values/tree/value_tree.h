// What a literal means to Python, as a tree whose sets and dicts hold no repeats.
//
// No table is built of a program's values: they are sorted by a hash whose key nobody knows, in
// n log n steps whatever the values are and however deep they lie.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "executor/values/marshal_reader.h"
#include "executor/values/tree/seeded_hash.h"
#include "executor/values/tree/value_same.h"

namespace azr::executor {

// What the parser writes can be this much deeper than a value: arguments stand in a pair of
// containers, and a bare tuple around its first item.
constexpr size_t kMaxReaderDepth = kMaxLiteralDepth + 2;

// Two different values have one hash: about one chance in a million for 64 MiB of values. Another
// key is to be tried.
struct HashCollision {};

class ValueTree {
 public:
  enum class Dicts : uint8_t { kSorted, kAsWritten };

  // `marshal`: of encode_literal() or encode_arguments(), where nothing is referred to twice.
  // Throws HashCollision.
  ValueTree(std::string marshal, const HashKey& key, Dicts dicts);
  ValueTree(const ValueTree&) = delete;
  ValueTree& operator=(const ValueTree&) = delete;

  const MarshalReader& reader() const { return reader_; }
  ValueAt root() const { return {&reader_, root_}; }

 private:
  // Of what a hash is a function: kPython makes 1, 1.0 and True one, kTyped keeps them apart.
  enum class Numbers : uint8_t { kPython, kTyped };
  struct Digest {
    uint64_t hash = 0;
    bool has_nan = false;
  };
  // One of a set's elements, or a dict's pairs. What holds a nan is equal to nothing in Python, and
  // has a typed hash; all else has Python's.
  struct Item {
    Digest digest;
    uint32_t place = 0;
    uint32_t key = 0;
    uint32_t value = 0;
  };
  struct FrozenDigest {
    uint32_t node = 0;
    Digest digest;
  };

  void settle(uint32_t index, Dicts dicts);
  std::vector<Item> items_of(const ValueNode& node) const;
  void drop_repeats(std::vector<Item>& items) const;
  void write_back(uint32_t index, const std::vector<Item>& items);
  Digest digest_of_frozenset(const ValueNode& node, const std::vector<Item>& items) const;
  Digest digest(uint32_t index, Numbers numbers) const;
  Digest digest_of_children(const ValueNode& node, Numbers numbers) const;
  Digest digest_of_number(const ValueNode& node, Numbers numbers) const;
  bool is_same(uint32_t a, uint32_t b, bool across_types) const;

  std::string marshal_;
  MarshalReader reader_;
  HashKey key_;
  uint32_t root_;
  // Of the frozensets settled so far, the last node first: they are settled from the inside out.
  std::vector<FrozenDigest> frozen_;
};

}  // namespace azr::executor
