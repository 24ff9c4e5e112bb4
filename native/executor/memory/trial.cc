#include "executor/memory/trial.h"

#include <exception>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace azr::executor {
namespace {

// Larger than what a scan looks at in one go, so that one that stops early is caught.
constexpr size_t kLargePages = 3 * 1024;
constexpr size_t kSmallPages = 64;
constexpr size_t kGrownBytes = kWasmPageBytes;
// Enough for a page to leave the hot set again.
constexpr size_t kIdleRuns = (HotPages::kCleanSamplesToRelease + 2) * Slot::kSampleEvery;

std::shared_ptr<const Image> scratch_image(size_t pages) {
  std::string memory(pages * kPageBytes, '\0');
  for (size_t page = 0; page < pages; page += 3) memory[page * kPageBytes + page] = 'a';
  return std::make_shared<const Image>(pack_memory(memory));
}

void write_to(Slot& slot, size_t page) {
  // Volatile, so that every page is written to although nobody seems to look.
  volatile uint8_t* at = slot.base() + page * kPageBytes + page % kPageBytes;
  *at = static_cast<uint8_t>(*at + 1);
}

// A run that writes to all these pages, and to memory it has grown.
void run(Slot& slot, const std::vector<PageRange>& ranges) {
  const size_t size = slot.size();
  slot.begin(size + kGrownBytes);
  for (const PageRange& range : ranges) {
    for (size_t page = range.first; page < range.first + range.count; ++page) write_to(slot, page);
  }
  if (!ranges.empty() && slot.grow(size + kGrownBytes)) write_to(slot, size / kPageBytes);
  const int refused = slot.refusal();
  const bool is_sound = slot.restore();
  if (refused != 0) {
    throw std::system_error(refused, std::generic_category(), "cannot grow a slot (mprotect)");
  }
  if (!is_sound || !slot.matches_image()) throw std::runtime_error("a write was not noticed");
  if (slot.counters().full_restores != 0)
    throw std::runtime_error("it cannot tell what is written");
}

// A write that changes nothing is a write: the next one to this page may make no fault.
void rewrite(Slot& slot, size_t page) {
  slot.begin(slot.size());
  volatile uint8_t* at = slot.base() + page * kPageBytes;
  *at = *at;
  if (!slot.restore()) throw std::runtime_error("it contradicts itself");
}

void try_on_scratch(const Way& way) {
  Slot large(scratch_image(kLargePages), 0, way);
  constexpr size_t kLast = kLargePages - 1;
  // The ends, one in the middle, neighbours, and more than the hot set takes at once.
  const std::vector<PageRange> pages{{0, 1}, {700, 3}, {1500, 1}, {2000, 40}, {kLast, 1}};
  for (int times = 0; times < 3; ++times) run(large, pages);
  Slot small(scratch_image(kSmallPages), 0, way);
  run(small, {{5, 1}});
  for (size_t idle = 0; idle < kIdleRuns; ++idle) run(small, {});
  if (small.hot_pages() != 0) throw std::runtime_error("a page cannot be watched again");
  run(small, {{5, 1}});  // warm
  run(small, {{6, 1}});
  for (size_t idle = 0; idle < kIdleRuns; ++idle) run(small, {});
  run(small, {{5, 3}});  // warm ones and a cold one
  rewrite(small, 9);
  run(small, {{9, 1}});
}

std::string problem_of(const Way& way) {
  std::string problem;
  // On a thread of its own, as guests run: what is counted for a thread is counted from its start.
  std::thread([&] {
    try {
      try_on_scratch(way);
    } catch (const std::exception& error) {
      problem = error.what();
    }
  }).join();
  return problem;
}

const Way& forced_way(std::string_view name) {
  std::string known;
  for (const Way& way : all_ways()) {
    known.append(known.empty() ? "" : ", ").append(way.name);
    if (way.name != name) continue;
    const std::string problem = problem_of(way);
    if (problem.empty()) return way;
    throw std::runtime_error("AZR_DIRTY_PAGES=" + std::string(name) +
                             " does not work on this machine: " + problem);
  }
  throw std::invalid_argument("AZR_DIRTY_PAGES must be one of " + known + ", got " +
                              std::string(name));
}

}  // namespace

std::vector<Trial> try_all_ways() {
  std::vector<Trial> trials;
  for (const Way& way : all_ways()) trials.push_back({&way, problem_of(way)});
  return trials;
}

const Way& choose_way(std::string_view name) {
  if (!name.empty()) return forced_way(name);
  std::string problems;
  for (const Way& way : all_ways()) {
    const std::string problem = problem_of(way);
    if (problem.empty()) return way;
    problems.append("; ").append(way.name).append(": ").append(problem);
  }
  throw std::runtime_error("no way to know what a program wrote works on this machine" + problems);
}

void prove(Slot& slot) {
  const size_t pages = slot.image().size() / kPageBytes;
  slot.begin(slot.size());
  for (const size_t page : {size_t{0}, pages / 3, pages / 2, pages - 1}) write_to(slot, page);
  if (!slot.restore() || !slot.matches_image()) {
    throw std::runtime_error("a slot kept what was written to it: it cannot be used");
  }
}

}  // namespace azr::executor
