#include "executor/pool/shared_parts.h"

#include <malloc.h>

#include <mutex>
#include <vector>

namespace azr::executor {
namespace {

// Knows the parts that somebody holds; holds none itself.
template <typename Part>
class Known {
 public:
  template <typename IsSame>
  std::shared_ptr<const Part> find_or_make(std::string_view bytes, IsSame is_same) {
    const std::lock_guard<std::mutex> lock(mutex_);  // two at once would make a part twice
    std::vector<std::weak_ptr<const Part>> held;
    std::shared_ptr<const Part> found;
    for (const auto& known : parts_) {
      auto part = known.lock();
      if (part == nullptr) continue;
      held.push_back(known);
      if (found == nullptr && is_same(*part, bytes)) found = std::move(part);
    }
    if (found == nullptr) {
      // Not make_shared: the last weak pointer would keep the part's own bytes.
      found = std::shared_ptr<const Part>(new Part(bytes));
      held.push_back(found);
    }
    parts_ = std::move(held);
    return found;
  }

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<const Part>> parts_;  // guarded by mutex_
};

}  // namespace

std::shared_ptr<const Image> share_image(std::string_view packed) {
  static Known<Image> known;
  return known.find_or_make(
      packed, [](const Image& image, std::string_view bytes) { return image.was_made_of(bytes); });
}

std::shared_ptr<const std::string> share_library(std::string_view zip) {
  static Known<std::string> known;
  return known.find_or_make(
      zip, [](const std::string& library, std::string_view bytes) { return library == bytes; });
}

void give_back_freed_memory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

}  // namespace azr::executor
