// What a source shows of itself by its words, without being parsed.
#pragma once

#include <string_view>

namespace azr::executor {

bool mentions_random(std::string_view source);

// Whether the end of the program may run code of its own, or write what a file still holds. What
// is taken for such without need only costs its program the time that taking it apart needs.
bool may_have_destructors(std::string_view source);

}  // namespace azr::executor
