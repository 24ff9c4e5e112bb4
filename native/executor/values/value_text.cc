// The writer of containers, in canonical order. The frame is read by marshal_reader.cc; numbers and
// strings are written by scalar_text.cc.
#include "executor/values/value_text.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "executor/values/literal.h"
#include "executor/values/marshal_reader.h"
#include "executor/values/text/scalar_text.h"

namespace azr::executor {
namespace {

// Where an element's text stands among those of its set, and what decides its place: integers come
// first and by size, then everything else by its text.
class SortedText {
 public:
  // Of the text from `from` to the end of `texts`.
  SortedText(std::string_view texts, size_t from) : from_(from), size_(texts.size() - from) {
    const std::string_view text = in(texts);
    is_negative_ = text[0] == '-';
    const std::string_view digits = text.substr(is_negative_ ? 1 : 0);
    is_integer_ =
        !digits.empty() && digits.find_first_not_of("0123456789") == std::string_view::npos;
    start_ = start_of(is_integer_ ? digits : text);
  }

  std::string_view in(std::string_view texts) const { return texts.substr(from_, size_); }

  bool is_before(const SortedText& other, std::string_view texts) const {
    if (is_integer_ != other.is_integer_) return is_integer_;
    if (!is_integer_) return is_less(other, texts);
    if (is_negative_ != other.is_negative_) return is_negative_;
    const SortedText& lower = is_negative_ ? other : *this;
    const SortedText& higher = is_negative_ ? *this : other;
    return lower.size_ != higher.size_ ? lower.size_ < higher.size_ : lower.is_less(higher, texts);
  }

 private:
  // The first bytes as a number: most comparisons end with them, without a look at the texts.
  static uint64_t start_of(std::string_view text) {
    uint64_t start = 0;
    for (size_t i = 0; i < sizeof(start); ++i) {
      start = start << 8 | (i < text.size() ? static_cast<uint8_t>(text[i]) : 0);
    }
    return start;
  }

  bool is_less(const SortedText& other, std::string_view texts) const {
    return start_ != other.start_ ? start_ < other.start_ : in(texts) < other.in(texts);
  }

  size_t from_;
  size_t size_;
  uint64_t start_ = 0;
  bool is_integer_ = false;
  bool is_negative_ = false;
};

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

  void write_sorted(std::string& out, const ValueNode& node, size_t depth, uint32_t step) {
    std::string texts;
    std::vector<SortedText> items;
    items.reserve(node.count / step);
    for (uint32_t i = 0; i + step <= node.count; i += step) {
      const size_t from = texts.size();
      if (step == 1) {
        write(texts, reader_.child(node, i), depth + 1);
      } else {
        write_pair(texts, node, i, depth);
      }
      items.emplace_back(texts, from);
      if (out.size() + texts.size() > options_.max_bytes) throw NoText{TextStatus::kTooLarge};
    }
    std::sort(items.begin(), items.end(),
              [&texts](const SortedText& a, const SortedText& b) { return a.is_before(b, texts); });
    for (size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out += ", ";
      out += items[i].in(texts);
    }
  }

  const MarshalReader& reader_;
  TextOptions options_;
  size_t spent_ = 0;
};

}  // namespace

void append_value_text(const MarshalReader& reader, uint32_t node, const TextOptions& options,
                       std::string& text) {
  TextWriter(reader, options).write(text, node, 0);
}

TextStatus write_value_text(std::string_view marshal, const TextOptions& options,
                            std::string& text) {
  text.clear();
  if (marshal.size() > UINT32_MAX) return TextStatus::kTooLarge;
  try {
    MarshalReader reader(marshal);
    const uint32_t root = reader.read_all();
    append_value_text(reader, root, options, text);
    return TextStatus::kOk;
  } catch (const NoText& no_text) {
    text.clear();
    return no_text.why;
  }
}

}  // namespace azr::executor
