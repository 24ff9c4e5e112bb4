#include "executor/pool/given_files.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "executor/job/reply.h"
#include "executor/job/worker.h"
#include "executor/wasi/wasi_price.h"

namespace azr::executor {
namespace {

TmpNodePtr make(TmpFiles& tmp, const std::string& path, bool is_folder) {
  TmpNodePtr node = tmp.make(path, is_folder);
  if (node == nullptr) throw std::runtime_error("the files of a job do not fit into /tmp");
  return node;
}

}  // namespace

bool has_modules(const NamedFiles& files) {
  return std::ranges::any_of(files, [](const auto& file) { return file.first.ends_with(".py"); });
}

uint64_t price_of(const NamedFiles& files) {
  uint64_t price = 0;
  for (const auto& [name, data] : files) {
    price += wasi::kNaming.call + data.size() * wasi::kCopying.per_byte;
  }
  return price;
}

void place(const NamedFiles& files, TmpFiles& tmp) {
  for (const auto& [name, data] : files) {
    for (size_t at = name.find('/'); at != std::string::npos; at = name.find('/', at + 1)) {
      const std::string folder = name.substr(0, at);
      if (tmp.find(folder) == nullptr) make(tmp, folder, true);
    }
    const TmpNodePtr node = make(tmp, name, false);
    if (!node->resize(data.size(), tmp.cap)) {
      throw std::runtime_error("the files of a job do not fit into /tmp");
    }
    node->write(0, reinterpret_cast<const uint8_t*>(data.data()), data.size());
  }
}

std::optional<NamedFiles> take(const std::vector<std::string>& names, const TmpFiles& tmp,
                               uint64_t max_bytes) {
  NamedFiles taken;
  uint64_t left = max_bytes;
  for (const std::string& name : names) {
    const TmpNodePtr node = tmp.find(name);
    if (node == nullptr || node->is_folder) continue;
    if (node->data().size() > left) return std::nullopt;
    left -= node->data().size();
    taken.emplace_back(name, node->data());
  }
  return taken;
}

// Adds the price of work outside the run; false, and the report is of that, when it is too much.
bool Worker::pay(const JobSpec& job, uint64_t price, CallReport& report) {
  if (price <= job.fuel && report.fuel <= job.fuel - price) {
    report.fuel += price;
    return true;
  }
  ++counters_.out_of_fuel;
  report = {};
  report.outcome = Outcome::kOutOfFuel;
  report.fuel = job.fuel;
  return false;
}

// The literal was written outside the run, but for the program: it is part of what it may use.
void Worker::pay_for_literal(const JobSpec& job, CallReport& report) {
  if (report.value) pay(job, report.value->size() * wasi::kFuelPerLiteralByte, report);
}

void Worker::take_files(const JobSpec& job, CallReport& report) {
  if (job.want_files.empty()) return;
  auto files = take(job.want_files, io_.tmp, job.output_bytes);
  if (!files) {
    const uint64_t fuel = report.fuel;
    report = failed(Outcome::kOutputTooLarge, "the files that are wanted hold too much");
    report.fuel = fuel;
  } else if (pay(job, price_of(*files), report)) {
    report.files = std::move(files);
  }
}

}  // namespace azr::executor
