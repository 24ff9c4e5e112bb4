#include "executor/values/tree/value_tree.h"

#include <algorithm>
#include <bit>
#include <span>
#include <utility>

#include "executor/values/text/python_number.h"

namespace azr::executor {
namespace {

template <typename Items, typename Before>
void sort_items(Items& items, Before before) {
  // Many equal values are in order as they are.
  if (!std::is_sorted(items.begin(), items.end(), before)) {
    std::sort(items.begin(), items.end(), before);
  }
}

}  // namespace

ValueTree::ValueTree(std::string marshal, const HashKey& key, Dicts dicts)
    : marshal_(std::move(marshal)),
      reader_(marshal_, kMaxReaderDepth),
      key_(key),
      root_(reader_.read_all()) {
  // What a container holds comes after it: from the last to the first is from the inside out.
  for (uint32_t index = reader_.num_nodes(); index-- > 0;) {
    const ValueKind kind = reader_.node(index).kind;
    if (is_set(kind) || kind == ValueKind::kDict) settle(index, dicts);
  }
}

void ValueTree::settle(uint32_t index, Dicts dicts) {
  const ValueNode& node = reader_.node(index);
  if (node.kind != ValueKind::kFrozenset && node.count < 2) return;
  std::vector<Item> items = items_of(node);
  if (items.size() > 1) {
    sort_items(items, [](const Item& a, const Item& b) {
      return a.digest.hash != b.digest.hash ? a.digest.hash < b.digest.hash : a.place < b.place;
    });
    drop_repeats(items);
    if (dicts == Dicts::kAsWritten && node.kind == ValueKind::kDict) {
      sort_items(items, [](const Item& a, const Item& b) { return a.place < b.place; });
    }
    write_back(index, items);
  }
  if (node.kind == ValueKind::kFrozenset) {
    frozen_.push_back({index, digest_of_frozenset(node, items)});
  }
}

std::vector<ValueTree::Item> ValueTree::items_of(const ValueNode& node) const {
  const uint32_t step = node.kind == ValueKind::kDict ? 2 : 1;
  std::vector<Item> items;
  items.reserve(node.count / step);
  for (uint32_t i = 0; i + step <= node.count; i += step) {
    const uint32_t key = reader_.child(node, i);
    Digest of_key = digest(key, Numbers::kPython);
    if (of_key.has_nan) of_key = digest(key, Numbers::kTyped);
    items.push_back({of_key, i, key, reader_.child(node, i + step - 1)});
  }
  return items;
}

// As Python builds them: of equal keys the first stays, with the last value. What holds a nan is
// equal to nothing; among themselves such keys stay as they are written.
void ValueTree::drop_repeats(std::vector<Item>& items) const {
  size_t kept = 0;
  for (size_t i = 1; i < items.size(); ++i) {
    Item& last = items[kept];
    const bool may_repeat = items[i].digest.hash == last.digest.hash;
    if (may_repeat && (items[i].digest.has_nan != last.digest.has_nan ||
                       !is_same(items[i].key, last.key, !last.digest.has_nan))) {
      throw HashCollision{};
    }
    if (may_repeat && !last.digest.has_nan) {
      last.value = items[i].value;
    } else {
      items[++kept] = items[i];
    }
  }
  items.resize(kept + 1);
}

void ValueTree::write_back(uint32_t index, const std::vector<Item>& items) {
  const bool is_dict = reader_.node(index).kind == ValueKind::kDict;
  const std::span<uint32_t> children = reader_.children(reader_.node(index));
  size_t at = 0;
  for (const Item& item : items) {
    children[at++] = item.key;
    if (is_dict) children[at++] = item.value;
  }
  reader_.drop_children_after(index, static_cast<uint32_t>(at));
}

bool ValueTree::is_same(uint32_t a, uint32_t b, bool across_types) const {
  return same_value({&reader_, a}, {&reader_, b},
                    {across_types, Sameness::Tuples::kThemselves, 0.0});
}

// ---- digests, of what can be hashed

ValueTree::Digest ValueTree::digest_of_frozenset(const ValueNode& node,
                                                 const std::vector<Item>& items) const {
  SeededHash hash(key_);
  bool has_nan = false;
  for (const Item& item : items) {
    hash.add(item.digest.hash);
    has_nan = has_nan || item.digest.has_nan;
  }
  if (has_nan) return digest_of_children(node, Numbers::kTyped);
  hash.add(static_cast<uint64_t>(ValueKind::kFrozenset));
  hash.add(items.size());
  return {hash.finish(), false};
}

ValueTree::Digest ValueTree::digest(uint32_t index, Numbers numbers) const {
  const ValueNode& node = reader_.node(index);
  if (is_number(node.kind)) return digest_of_number(node, numbers);
  if (node.kind == ValueKind::kTuple) return digest_of_children(node, numbers);
  if (node.kind == ValueKind::kFrozenset) {
    const auto found =
        std::lower_bound(frozen_.begin(), frozen_.end(), index,
                         [](const FrozenDigest& a, uint32_t b) { return a.node > b; });
    const bool is_it = numbers == Numbers::kPython || found->digest.has_nan;
    return is_it ? found->digest : digest_of_children(node, numbers);
  }
  SeededHash hash(key_);
  hash.add(static_cast<uint64_t>(node.kind));
  hash.add(reader_.bytes(node));
  return {hash.finish(), false};
}

ValueTree::Digest ValueTree::digest_of_children(const ValueNode& node, Numbers numbers) const {
  SeededHash hash(key_);
  bool has_nan = false;
  for (uint32_t i = 0; i < node.count; ++i) {
    const Digest child = digest(reader_.child(node, i), numbers);
    hash.add(child.hash);
    has_nan = has_nan || child.has_nan;
  }
  hash.add(static_cast<uint64_t>(node.kind));
  hash.add(node.count);
  return {hash.finish(), has_nan};
}

ValueTree::Digest ValueTree::digest_of_number(const ValueNode& node, Numbers numbers) const {
  const PythonNumber number = python_number(reader_, node);
  SeededHash hash(key_);
  // Or 9 were the empty tuple, and 7 the empty string: these begin with their kind.
  hash.add(static_cast<uint64_t>(ValueKind::kInt));
  hash.add(static_cast<uint64_t>(number.small));
  if (number.small == 0) {  // any but a short integer
    hash.add(std::bit_cast<uint64_t>(number.real));
    hash.add(std::bit_cast<uint64_t>(number.imaginary));
    hash.add(uint64_t{number.is_negative});
    hash.add(number.limbs);
  } else {
    hash.add(number.exponent);
  }
  if (numbers == Numbers::kTyped) hash.add(static_cast<uint64_t>(node.kind));
  return {hash.finish(), number.has_nan()};
}

}  // namespace azr::executor
