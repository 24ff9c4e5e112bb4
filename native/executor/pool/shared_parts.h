// What the pools of one process hold once, however many there are.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "executor/memory/image.h"

namespace azr::executor {

// The image of these packed bytes (image.h): one that a pool still holds, or a new one. Equal bytes
// are found by comparing them, which takes less time than a new image would. Thread-safe; throws
// what Image throws.
std::shared_ptr<const Image> share_image(std::string_view packed);

// These bytes of a guest's library, in the same way.
std::shared_ptr<const std::string> share_library(std::string_view zip);

// Gives freed memory back to the system. glibc's malloc keeps much of it: once a large block was
// freed, later ones of that size come from its heap, which shrinks only at its end.
void give_back_freed_memory();

}  // namespace azr::executor
