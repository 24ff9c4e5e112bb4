#include "executor/values/literal_value.h"

#include <array>
#include <stdexcept>

#include "executor/values/literal.h"
#include "executor/values/marshal_reader.h"
#include "executor/values/tree/value_tree.h"
#include "executor/values/value_text.h"

namespace azr::executor {
namespace {

using Dicts = ValueTree::Dicts;

constexpr int kMaxKeys = 8;

// Runs `compute` with one key after another, until nothing collides.
template <typename Compute>
auto with_a_key(uint64_t mask, Compute compute) {
  for (int i = 0; i < kMaxKeys; ++i) {
    try {
      return compute(HashKey::fresh(mask));
    } catch (const HashCollision&) {
      mask = ~uint64_t{0};
    }
  }
  throw std::logic_error("different values have equal hashes under every key");
}

void append_text(std::string& out, ValueAt value, size_t max_bytes) {
  try {
    append_value_text(*value.reader, value.node, {max_bytes}, out);
  } catch (const NoText&) {
    throw LiteralError("too large or too deep for a literal");
  }
}

std::string_view type_name(ValueKind kind) {
  static constexpr std::array<std::string_view, 14> kNames{
      "None", "bool",  "bool",  "int",  "int",  "float", "complex",
      "str",  "bytes", "tuple", "list", "dict", "set",   "frozenset"};
  return kNames[static_cast<size_t>(kind)];
}

// Of what encode_arguments() gives: every argument with its name, in order.
struct Argument {
  std::string_view name;
  ValueAt value;
};

std::vector<Argument> arguments_in(const MarshalReader& reader, ValueAt root) {
  const ValueNode& pair = reader.node(root.node);
  const ValueNode& positional = reader.node(reader.child(pair, 0));
  const ValueNode& named = reader.node(reader.child(pair, 1));
  std::vector<Argument> arguments;
  for (uint32_t i = 0; i < positional.count; ++i) {
    arguments.push_back({{}, {&reader, reader.child(positional, i)}});
  }
  for (uint32_t i = 0; i < named.count; i += 2) {
    arguments.push_back(
        {reader.bytes(reader.node(reader.child(named, i))), {&reader, reader.child(named, i + 1)}});
  }
  return arguments;
}

}  // namespace

bool same_literals(std::string_view a, std::string_view b, const Sameness& sameness, Keys keys,
                   uint64_t hash_mask) {
  const std::string left = encode_literal(a, keys);
  const std::string right = encode_literal(b, keys);
  if (!sameness.across_types && left == right) return true;
  return with_a_key(hash_mask, [&](const HashKey& key) {
    const ValueTree of_left(left, key, Dicts::kSorted);
    const ValueTree of_right(right, key, Dicts::kSorted);
    return same_value(of_left.root(), of_right.root(), sameness);
  });
}

std::string canonical_literal(std::string_view text, size_t max_bytes) {
  const std::string marshal = encode_literal(text);
  return with_a_key(~uint64_t{0}, [&](const HashKey& key) {
    const ValueTree tree(marshal, key, Dicts::kAsWritten);
    std::string out;
    append_text(out, tree.root(), max_bytes);
    return out;
  });
}

std::string canonical_arguments(std::string_view text, size_t max_bytes) {
  const std::string marshal = encode_arguments(text);
  return with_a_key(~uint64_t{0}, [&](const HashKey& key) {
    const ValueTree tree(marshal, key, Dicts::kAsWritten);
    std::string out;
    for (const Argument& argument : arguments_in(tree.reader(), tree.root())) {
      if (!out.empty()) out += ", ";
      if (!argument.name.empty()) out.append(argument.name).push_back('=');
      append_text(out, argument.value, max_bytes);
    }
    return out;
  });
}

bool has_tables(std::string_view text) {
  const std::string marshal = encode_literal(text);
  MarshalReader reader(marshal, kMaxReaderDepth);
  reader.read_all();
  for (uint32_t i = 0; i < reader.num_nodes(); ++i) {
    const ValueKind kind = reader.node(i).kind;
    if (is_set(kind) || kind == ValueKind::kDict) return true;
  }
  return false;
}

std::string literal_type(std::string_view text) {
  const std::string marshal = encode_literal(text);
  MarshalReader reader(marshal, kMaxReaderDepth);
  return std::string(type_name(reader.node(reader.read_all()).kind));
}

std::vector<std::pair<std::string, std::string>> argument_types(std::string_view text) {
  const std::string marshal = encode_arguments(text);
  MarshalReader reader(marshal, kMaxReaderDepth);
  const ValueAt root{&reader, reader.read_all()};
  std::vector<std::pair<std::string, std::string>> types;
  for (const Argument& argument : arguments_in(reader, root)) {
    types.emplace_back(argument.name, type_name(reader.node(argument.value.node).kind));
  }
  return types;
}

}  // namespace azr::executor
