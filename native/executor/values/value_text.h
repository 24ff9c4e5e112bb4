// Writes the value in a reply frame as a canonical Python literal.
//
// The frame is marshal data that a guest made: untrusted. The reader is total, never allocates
// more than a small multiple of the frame's size, and never expands shared references beyond the
// caller's cap.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace azr::executor {

enum class TextStatus : uint8_t {
  kOk,
  kTooLarge,   // the literal would exceed the cap, or holds an int of more than 4300 digits
  kNotAValue,  // too deep, cyclic, or of a type that has no literal
  kMalformed,  // not marshal data of one value
};

struct TextOptions {
  size_t max_bytes = 0;
  // Sort dict items too: equal values then have equal texts, whatever their insertion order.
  bool sort_dicts = false;
};

// For plain values the text is what repr() gives; set elements are sorted.
TextStatus write_value_text(std::string_view marshal, const TextOptions& options,
                            std::string& text);

class MarshalReader;

// The same for a node that has been read. Throws NoText (marshal_reader.h).
void append_value_text(const MarshalReader& reader, uint32_t node, const TextOptions& options,
                       std::string& text);

}  // namespace azr::executor
