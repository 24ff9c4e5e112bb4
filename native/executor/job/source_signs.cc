#include "executor/job/source_signs.h"

namespace azr::executor {

namespace {

bool mentions(std::string_view source, std::string_view text) {
  return source.find(text) != std::string_view::npos;
}

}  // namespace

bool mentions_random(std::string_view source) { return mentions(source, "random"); }

bool may_have_destructors(std::string_view source) {
  if (mentions(source, "yield") &&
      (mentions(source, "finally") || mentions(source, "with ") || mentions(source, "except"))) {
    return true;
  }
  for (const std::string_view text : {"__del__", "open(", "Wrapper", "IO(", "Buffered", "IOBase",
                                      "detach", "weakref", "getwriter"}) {
    if (mentions(source, text)) return true;
  }
  return false;
}

}  // namespace azr::executor
