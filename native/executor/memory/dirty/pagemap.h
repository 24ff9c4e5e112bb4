// What the kernel says of this process's pages: /proc/self/pagemap and its PAGEMAP_SCAN.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "executor/memory/hot_pages.h"

namespace azr::executor {

// Whether a page of a private file mapping has been copied, resident or swapped out. Nothing when
// the kernel does not say.
std::optional<bool> is_private_page(const uint8_t* page);

// Appends the private pages outside `hot`, counted from `base`, looking from the end until
// `enough` are found. False when the kernel does not say.
bool find_private_pages(const uint8_t* base, const HotPages& hot, uint64_t enough,
                        std::vector<PageRange>& found);

// Drops the private copies of whole pages and maps the file's own, so that reading one is no
// fault. False when the kernel refuses, as it does for locked memory.
bool drop_private_pages(uint8_t* first, size_t bytes);

}  // namespace azr::executor
