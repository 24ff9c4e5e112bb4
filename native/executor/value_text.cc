// The writer of containers, in canonical order. The frame is read by marshal_reader.cc; numbers and
// strings are written by scalar_text.cc.
#include "executor/value_text.h"

#include <algorithm>
#include <vector>

#include "executor/literal.h"
#include "executor/marshal_reader.h"
#include "executor/scalar_text.h"

namespace azr::executor {
namespace {

class TextWriter {
 public:
  TextWriter(const MarshalReader& reader, const TextOptions& options)
      : reader_(reader), options_(options) {}

  // `depth` bounds the output's nesting, which shared references can make deeper than the frame.
  void write(std::string& out, uint32_t index, size_t depth) {
    if (depth > kMaxLiteralDepth) throw NoText{TextStatus::kNotAValue};
    const ValueNode& node = reader_.node(index);
    if (is_container(node.kind)) {
      write_container(out, node, depth);
    } else {
      write_scalar(out, node);
    }
    spent_ += 1;
    if (out.size() > options_.max_bytes || spent_ > options_.max_bytes) {
      throw NoText{TextStatus::kTooLarge};
    }
  }

 private:
  void write_scalar(std::string& out, const ValueNode& node) {
    const std::string_view bytes = reader_.bytes(node);
    switch (node.kind) {
      case ValueKind::kNone:
        out += "None";
        return;
      case ValueKind::kTrue:
        out += "True";
        return;
      case ValueKind::kFalse:
        out += "False";
        return;
      case ValueKind::kInt:
        out += std::to_string(load<int32_t>(bytes));
        return;
      case ValueKind::kBigInt:
        write_big_int(out, bytes, reader_.is_negative(node));
        return;
      case ValueKind::kFloat:
        write_double(out, load<double>(bytes));
        return;
      case ValueKind::kComplex:
        write_complex(out, load<double>(bytes), load<double>(bytes, 8));
        return;
      case ValueKind::kText:
        check_room(out, bytes);
        write_text(out, bytes);
        return;
      default:
        check_room(out, bytes);
        write_bytes(out, bytes);
        return;
    }
  }

  void check_room(const std::string& out, std::string_view bytes) const {
    // Escaping never shrinks the text; this only avoids building what cannot fit.
    if (out.size() + bytes.size() > options_.max_bytes) throw NoText{TextStatus::kTooLarge};
  }

  void write_container(std::string& out, const ValueNode& node, size_t depth) {
    switch (node.kind) {
      case ValueKind::kTuple:
        out.push_back('(');
        write_items(out, node, depth);
        if (node.count == 1) out.push_back(',');
        out.push_back(')');
        return;
      case ValueKind::kList:
        out.push_back('[');
        write_items(out, node, depth);
        out.push_back(']');
        return;
      case ValueKind::kDict:
        write_dict(out, node, depth);
        return;
      default:
        write_set(out, node, depth);
        return;
    }
  }

  void write_items(std::string& out, const ValueNode& node, size_t depth) {
    for (uint32_t i = 0; i < node.count; ++i) {
      if (i > 0) out += ", ";
      write(out, reader_.child(node, i), depth + 1);
    }
  }

  void write_dict(std::string& out, const ValueNode& node, size_t depth) {
    out.push_back('{');
    if (options_.sort_dicts) {
      write_sorted(out, node, depth, 2);
    } else {
      for (uint32_t i = 0; i + 1 < node.count; i += 2) {
        if (i > 0) out += ", ";
        write_pair(out, node, i, depth);
      }
    }
    out.push_back('}');
  }

  void write_pair(std::string& out, const ValueNode& node, uint32_t i, size_t depth) {
    write(out, reader_.child(node, i), depth + 1);
    out += ": ";
    write(out, reader_.child(node, i + 1), depth + 1);
  }

  void write_set(std::string& out, const ValueNode& node, size_t depth) {
    const bool frozen = node.kind == ValueKind::kFrozenset;
    if (node.count == 0) {
      out += frozen ? "frozenset()" : "set()";
      return;
    }
    out += frozen ? "frozenset({" : "{";
    write_sorted(out, node, depth, 1);
    out += frozen ? "})" : "}";
  }

  // Integers first and by size, then everything else by its text.
  static bool before(const std::string& a, const std::string& b) {
    const bool a_int = is_integer(a);
    const bool b_int = is_integer(b);
    if (a_int != b_int) return a_int;
    if (!a_int) return a < b;
    const bool a_negative = a[0] == '-';
    if (a_negative != (b[0] == '-')) return a_negative;
    const bool smaller = a.size() != b.size() ? a.size() < b.size() : a < b;
    return a != b && smaller != a_negative;
  }

  static bool is_integer(const std::string& text) {
    const size_t from = text[0] == '-' ? 1 : 0;
    return text.find_first_not_of("0123456789", from) == std::string::npos && text.size() > from;
  }

  void write_sorted(std::string& out, const ValueNode& node, size_t depth, uint32_t step) {
    std::vector<std::string> items(node.count / step);
    size_t total = out.size();
    for (uint32_t i = 0; i < items.size(); ++i) {
      if (step == 1) {
        write(items[i], reader_.child(node, i), depth + 1);
      } else {
        write_pair(items[i], node, 2 * i, depth);
      }
      total += items[i].size();
      if (total > options_.max_bytes) throw NoText{TextStatus::kTooLarge};
    }
    std::sort(items.begin(), items.end(), before);
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out += ", ";
      out += items[i];
    }
  }

  const MarshalReader& reader_;
  TextOptions options_;
  size_t spent_ = 0;
};

}  // namespace

TextStatus write_value_text(std::string_view marshal, const TextOptions& options,
                            std::string& text) {
  text.clear();
  if (marshal.size() > UINT32_MAX) return TextStatus::kTooLarge;
  try {
    MarshalReader reader(marshal);
    const uint32_t root = reader.read_all();
    TextWriter(reader, options).write(text, root, 0);
    return TextStatus::kOk;
  } catch (const NoText& no_text) {
    text.clear();
    return no_text.why;
  }
}

}  // namespace azr::executor
