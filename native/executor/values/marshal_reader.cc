#include "executor/values/marshal_reader.h"

#include <cstdlib>

namespace azr::executor {

uint32_t MarshalReader::read_all() {
  const uint32_t root = read(0);
  if (at_ != frame_.size()) throw NoText{TextStatus::kMalformed};
  return root;
}

// ---- bytes

inline uint8_t MarshalReader::take_byte() {
  if (at_ >= frame_.size()) throw NoText{TextStatus::kMalformed};
  return static_cast<uint8_t>(frame_[at_++]);
}

inline uint32_t MarshalReader::take_u32() {
  uint32_t value = 0;
  for (int shift = 0; shift < 32; shift += 8) value |= uint32_t{take_byte()} << shift;
  return value;
}

inline void MarshalReader::take_span(ValueNode& node, ValueKind kind, size_t count) {
  if (count > frame_.size() - at_) throw NoText{TextStatus::kMalformed};
  node.kind = kind;
  node.first = static_cast<uint32_t>(at_);
  node.count = static_cast<uint32_t>(count);
  at_ += count;
}

// ---- objects

uint32_t MarshalReader::read(size_t depth) {
  if (depth > max_depth_) throw NoText{TextStatus::kNotAValue};
  const uint8_t byte = take_byte();
  const char type = static_cast<char>(byte & 0x7f);
  if (type == 'r') {
    const uint32_t reference = take_u32();
    if (reference >= references_.size()) throw NoText{TextStatus::kMalformed};
    const uint32_t target = references_[reference];
    if (nodes_[target].open) throw NoText{TextStatus::kNotAValue};
    return target;
  }
  const auto index = static_cast<uint32_t>(nodes_.size());
  nodes_.emplace_back();
  if ((byte & 0x80) != 0) references_.push_back(index);
  read_body(index, type, depth);
  return index;
}

void MarshalReader::read_body(uint32_t index, char type, size_t depth) {
  ValueNode& node = nodes_[index];
  switch (type) {
    case 'N':
      node.kind = ValueKind::kNone;
      break;
    case 'T':
      node.kind = ValueKind::kTrue;
      break;
    case 'F':
      node.kind = ValueKind::kFalse;
      break;
    case 'i':
      take_span(node, ValueKind::kInt, 4);
      break;
    case 'g':
      take_span(node, ValueKind::kFloat, 8);
      break;
    case 'y':
      take_span(node, ValueKind::kComplex, 16);
      break;
    case 'l':
      read_big_int(node);
      break;
    case 's':
      take_span(node, ValueKind::kBytes, take_u32());
      break;
    case 'u':
    case 't':
    case 'a':
    case 'A':
      take_span(node, ValueKind::kText, take_u32());
      break;
    case 'z':
    case 'Z':
      take_span(node, ValueKind::kText, take_byte());
      break;
    default:
      read_container(index, type, depth);
  }
}

void MarshalReader::read_container(uint32_t index, char type, size_t depth) {
  switch (type) {
    case ')':
      read_items(index, ValueKind::kTuple, take_byte(), depth);
      break;
    case '(':
      read_items(index, ValueKind::kTuple, take_u32(), depth);
      break;
    case '[':
      read_items(index, ValueKind::kList, take_u32(), depth);
      break;
    case '<':
      read_items(index, ValueKind::kSet, take_u32(), depth);
      break;
    case '>':
      read_items(index, ValueKind::kFrozenset, take_u32(), depth);
      break;
    case '{':
      read_dict(index, depth);
      break;
    default:
      throw NoText{TextStatus::kNotAValue};
  }
}

void MarshalReader::read_big_int(ValueNode& node) {
  const auto signed_count = static_cast<int32_t>(take_u32());
  const uint64_t limbs = static_cast<uint64_t>(std::abs(int64_t{signed_count}));
  take_span(node, ValueKind::kBigInt, 2 * limbs);
  // marshal never writes a zero at the top. A frame that does could make this number costly to
  // write and short as text, so that references to it would take quadratic time.
  if (limbs > 0 && frame_[at_ - 1] == '\0' && frame_[at_ - 2] == '\0') {
    throw NoText{TextStatus::kMalformed};
  }
}

// ---- containers: their items wait in pending_, since containers within add theirs to children_

void MarshalReader::read_items(uint32_t index, ValueKind kind, uint32_t count, size_t depth) {
  if (count > frame_.size() - at_) throw NoText{TextStatus::kMalformed};  // one byte each at least
  begin(index, kind);
  const size_t mark = pending_.size();
  const bool must_hash = kind == ValueKind::kSet || kind == ValueKind::kFrozenset;
  for (uint32_t i = 0; i < count; ++i) push_item(depth, must_hash);
  finish(index, mark);
}

void MarshalReader::read_dict(uint32_t index, size_t depth) {
  begin(index, ValueKind::kDict);
  const size_t mark = pending_.size();
  while (at_ < frame_.size() && (frame_[at_] & 0x7f) != '0') {
    push_item(depth, true);
    push_item(depth, false);
  }
  take_byte();
  finish(index, mark);
}

void MarshalReader::begin(uint32_t index, ValueKind kind) {
  nodes_[index].kind = kind;
  nodes_[index].open = true;
}

void MarshalReader::push_item(size_t depth, bool must_hash) {
  const uint32_t item = read(depth + 1);
  // Real dicts and sets hold hashable things only; a frame that says otherwise is forged.
  if (must_hash && !nodes_[item].hashable) throw NoText{TextStatus::kMalformed};
  pending_.push_back(item);
}

void MarshalReader::finish(uint32_t index, size_t mark) {
  ValueNode& node = nodes_[index];
  node.first = static_cast<uint32_t>(children_.size());
  node.count = static_cast<uint32_t>(pending_.size() - mark);
  children_.insert(children_.end(), pending_.begin() + static_cast<std::ptrdiff_t>(mark),
                   pending_.end());
  pending_.resize(mark);
  node.open = false;
  node.hashable = node.kind == ValueKind::kTuple || node.kind == ValueKind::kFrozenset;
  if (node.kind != ValueKind::kTuple) return;
  for (uint32_t i = 0; i < node.count; ++i) {
    node.hashable = node.hashable && nodes_[child(node, i)].hashable;
  }
}

}  // namespace azr::executor
