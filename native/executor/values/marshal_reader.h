// Reads a reply frame into nodes: one for each object, whatever refers to it.
//
// The frame is marshal data that a guest made: untrusted. Reading takes time and memory linear in
// its length; a frame that marshal would not have written is refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

#include "executor/values/literal.h"
#include "executor/values/value_text.h"

namespace azr::executor {

enum class ValueKind : uint8_t {
  kNone,
  kTrue,
  kFalse,
  kInt,
  kBigInt,
  kFloat,
  kComplex,
  kText,
  kBytes,
  kTuple,
  kList,
  kDict,
  kSet,
  kFrozenset,
};

inline bool is_container(ValueKind kind) { return kind >= ValueKind::kTuple; }
inline bool is_set(ValueKind kind) { return kind >= ValueKind::kSet; }
inline bool is_number(ValueKind kind) {
  return kind >= ValueKind::kTrue && kind <= ValueKind::kComplex;
}

// One decoded object. `first`/`count` locate its bytes in the frame or its children.
struct ValueNode {
  ValueKind kind = ValueKind::kNone;
  bool open = false;  // a container still being read: a reference to it is a cycle
  bool hashable = true;
  uint32_t first = 0;
  uint32_t count = 0;
};

// Thrown where a frame cannot become text; never leaves write_value_text().
struct NoText {
  TextStatus why;
};

// The little-endian number at `at`, which must lie within `bytes`.
template <typename T>
T load(std::string_view bytes, size_t at = 0) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof(value));
  return value;
}

class MarshalReader {
 public:
  explicit MarshalReader(std::string_view frame, size_t max_depth = kMaxLiteralDepth)
      : frame_(frame), max_depth_(max_depth) {}

  // Reads the whole frame, which holds one value, and returns its node. Throws NoText.
  uint32_t read_all();

  // An object comes before all that it holds.
  const ValueNode& node(uint32_t index) const { return nodes_[index]; }
  uint32_t num_nodes() const { return static_cast<uint32_t>(nodes_.size()); }
  uint32_t child(const ValueNode& parent, uint32_t index) const {
    return children_[parent.first + index];
  }
  std::span<uint32_t> children(const ValueNode& parent) {
    return {children_.data() + parent.first, parent.count};
  }
  void drop_children_after(uint32_t index, uint32_t count) { nodes_[index].count = count; }
  // Of a scalar: its payload. Of a big int: its digits, 15 bits in two bytes each.
  std::string_view bytes(const ValueNode& node) const {
    return frame_.substr(node.first, node.count);
  }
  // The sign of a big int is that of the count before its digits.
  bool is_negative(const ValueNode& node) const {
    return load<int32_t>(frame_, node.first - 4) < 0;
  }

 private:
  uint8_t take_byte();
  uint32_t take_u32();
  void take_span(ValueNode& node, ValueKind kind, size_t count);
  uint32_t read(size_t depth);
  void read_body(uint32_t index, char type, size_t depth);
  void read_container(uint32_t index, char type, size_t depth);
  void read_big_int(ValueNode& node);
  void read_items(uint32_t index, ValueKind kind, uint32_t count, size_t depth);
  void read_dict(uint32_t index, size_t depth);
  void begin(uint32_t index, ValueKind kind);
  void push_item(size_t depth, bool must_hash);
  void finish(uint32_t index, size_t mark);

  std::string_view frame_;
  size_t max_depth_;
  size_t at_ = 0;
  std::vector<ValueNode> nodes_;
  std::vector<uint32_t> references_;
  std::vector<uint32_t> children_;
  std::vector<uint32_t> pending_;
};

}  // namespace azr::executor
