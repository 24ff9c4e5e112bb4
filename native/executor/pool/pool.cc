#include "executor/pool/pool.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "executor/memory/trial.h"
#include "executor/pool/shared_parts.h"
#include "executor/session/state_file.h"

namespace azr::executor {
namespace {

constexpr const char* kClosed = "the sandbox was closed";
constexpr const char* kCancelled = "the job was cancelled";

JobReport failed_job(const JobSpec& job, std::string failure) {
  JobReport report;
  report.ticket = job.ticket;
  report.failure = std::move(failure);
  return report;
}

}  // namespace

void Pool::load(const PoolOptions& options) {
  const WasmtimeApi& api = load_wasmtime(options.wasmtime_path);
  auto compile_engine = std::make_shared<Engine>(api, kUnmetered);
  compile_engine->load(options.compile_module_path);
  shared_.compile_engine = std::move(compile_engine);
  shared_.compile_image = share_image(options.compile_image);
  for (const FlavorOptions& flavor : options.flavors) {
    auto engine = std::make_shared<Engine>(api, kMetered);
    engine->load(flavor.module_path);
    Flavor& made = shared_.flavors.emplace_back();
    made.engine = std::move(engine);
    made.zip = share_library(flavor.zip);
    for (const std::string_view image : flavor.images) made.images.push_back(share_image(image));
  }
}

Pool::Pool(PoolOptions options) : desks_(options.workers) {
  if (options.flavors.empty()) throw std::invalid_argument("a pool needs a flavor");
  load(options);
  shared_.check_every = options.check_every;
  shared_.net = options.net;
  shared_.way = &choose_way(options.dirty_pages);  // after the engines: of its signal handler
  shared_.cache = std::make_unique<CodeCache>(options.cache_bytes);

  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kMetered.wasm_stack_bytes + kHostStackBytes);
  for (uint32_t i = 0; i < options.workers; ++i) {
    pthread_t thread{};
    ++working_;
    if (pthread_create(&thread, &attributes, run_thread, this) != 0) {
      --working_;
      break;
    }
    threads_.push_back(thread);
  }
  pthread_attr_destroy(&attributes);
  bool is_ticking = true;
  try {
    ticker_ = std::thread([this] { tick(); });
  } catch (const std::system_error&) {
    is_ticking = false;
  }
  if (!is_ticking || threads_.size() != options.workers) {
    close();
    throw std::runtime_error("the machine refused the sandbox a thread (pthread_create)");
  }
}

Pool::~Pool() { close(); }

void* Pool::run_thread(void* self) {
  auto* pool = static_cast<Pool*>(self);
  size_t index = 0;
  {
    const std::lock_guard<std::mutex> lock(pool->mutex_);
    index = pool->next_index_++;
  }
  pool->work(index);
  --pool->working_;
  return nullptr;
}

// The first job that this worker may take: the second try of a job is for another one.
std::deque<JobSpec>::iterator Pool::job_for(size_t index) {
  return std::find_if(jobs_.begin(), jobs_.end(), [this, index](const JobSpec& job) {
    return desks_.size() == 1 || job.first_worker != index;
  });
}

// Waits for a job and notes who has it; false when the pool is closing.
bool Pool::take_job(size_t index, JobSpec& job) {
  std::unique_lock<std::mutex> lock(mutex_);
  job_ready_.wait(lock, [this, index] { return closing_ || job_for(index) != jobs_.end(); });
  if (closing_) return false;
  const auto found = job_for(index);
  job = std::move(*found);
  jobs_.erase(found);
  Desk& desk = desks_[index];
  desk.reports = job.reports.get();
  desk.ticket = job.ticket;
  desk.stop = false;
  return true;
}

// Notes that a worker is free, and what becomes of its job: a report, or a second try.
void Pool::finish(size_t index, const Worker* worker, JobSpec job,
                  std::optional<JobReport> report) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    Desk& desk = desks_[index];
    desk.reports = nullptr;
    if (worker != nullptr) desk.counters = worker->counters();
    const bool has_failed = !report || !report->failure.empty();
    if (has_failed && desk.stop) report = failed_job(job, closing_ ? kClosed : kCancelled);
    if (!report) {
      job.first_worker = index;
      jobs_.push_front(std::move(job));
    }
  }
  if (report) {
    job.reports->put(*std::move(report));
  } else {
    job_ready_.notify_all();  // one alone might be the worker that may not take it
  }
}

void Pool::work(size_t index) {
  std::unique_ptr<Worker> worker;
  while (true) {
    JobSpec job;
    if (!take_job(index, job)) return;
    std::optional<JobReport> report;
    try {
      if (worker == nullptr)
        worker = std::make_unique<Worker>(shared_, desks_[index].stop, desks_[index].watch);
      report = worker->process(job);
    } catch (const std::exception& error) {
      report = failed_job(job, error.what());
    }
    finish(index, worker.get(), std::move(job), std::move(report));
  }
}

void Pool::tick() {
  std::unique_lock<std::mutex> lock(mutex_);
  std::chrono::milliseconds period(kTickMs);
  while (!tick_stop_.wait_for(lock, period, [this] { return closing_; })) {
    period = std::chrono::milliseconds(look_at_runs() ? kStoppingTickMs : kTickMs);
  }
}

// Whether one of them is being stopped.
bool Pool::look_at_runs() {
  bool is_stopping = false;
  for (Desk& desk : desks_) is_stopping = desk.watch.tick() || is_stopping;
  return is_stopping;
}

void Pool::submit(JobSpec job) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closing_) throw std::runtime_error("the pool is closed");
    jobs_.push_back(std::move(job));
  }
  job_ready_.notify_one();
}

bool Pool::cancel(const std::shared_ptr<Reports>& reports, uint64_t ticket) {
  std::optional<JobReport> report;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto is_it = [&reports, ticket](const Reports* other, uint64_t other_ticket) {
      return other == reports.get() && other_ticket == ticket;
    };
    for (Desk& desk : desks_) {
      if (!is_it(desk.reports, desk.ticket)) continue;
      desk.stop = true;
      return true;
    }
    const auto found = std::find_if(jobs_.begin(), jobs_.end(), [&is_it](const JobSpec& job) {
      return is_it(job.reports.get(), job.ticket);
    });
    if (found == jobs_.end()) return false;
    report = failed_job(*found, kCancelled);
    jobs_.erase(found);
  }
  reports->put(*std::move(report));
  return true;
}

PoolCounters Pool::counters() {
  const std::lock_guard<std::mutex> lock(mutex_);
  PoolCounters total;
  for (const Desk& desk : desks_) {
    const WorkerCounters& one = desk.counters;
    total.workers.jobs += one.jobs;
    total.workers.calls += one.calls;
    total.workers.compiled += one.compiled;
    total.workers.compiled_metered += one.compiled_metered;
    total.workers.cache_hits += one.cache_hits;
    total.workers.out_of_fuel += one.out_of_fuel;
    total.workers.failures += one.failures;
    total.workers.net_hits += one.net_hits;
    total.workers.timed_out += one.timed_out;
    total.workers.instances += one.instances;
    total.workers.hot_pages += one.hot_pages;
    total.workers.slots.restores += one.slots.restores;
    total.workers.slots.slow_restores += one.slots.slow_restores;
    total.workers.slots.full_restores += one.slots.full_restores;
    total.workers.slots.checks += one.slots.checks;
    total.workers.slots.failed_checks += one.slots.failed_checks;
  }
  total.queued = jobs_.size();
  total.state_bytes = shared_.account->bytes;
  total.isolation_lost = shared_.isolation_lost;
  return total;
}

std::shared_ptr<State> Pool::read_state(std::string_view packed, uint32_t flavor,
                                        std::string_view image_key, uint64_t max_bytes) {
  std::shared_ptr<const Image> image;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closing_) throw std::runtime_error("the pool is closed");
    image = shared_.flavors.at(flavor).images.front();
  }
  auto state = unpack_state(packed, {image_key, image->size(), max_bytes}, shared_.account);
  state->flavor = flavor;
  return state;
}

void Pool::close() {
  std::deque<JobSpec> dropped;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
    for (Desk& desk : desks_) desk.stop = true;
    dropped.swap(jobs_);
  }
  for (const JobSpec& job : dropped) job.reports->put(failed_job(job, kClosed));
  job_ready_.notify_all();
  tick_stop_.notify_all();
  // Ticks at once, until all workers have ended: one may have begun a run after the last of them.
  while (working_ > 0) {
    look_at_runs();
    std::this_thread::sleep_for(std::chrono::milliseconds(kStoppingTickMs));
  }
  for (const pthread_t thread : threads_) pthread_join(thread, nullptr);
  threads_.clear();
  if (ticker_.joinable()) ticker_.join();
  unload();
  give_back_freed_memory();
}

// Only the counters outlive the threads.
void Pool::unload() {
  shared_.compile_engine.reset();
  shared_.compile_image.reset();
  shared_.flavors.clear();
  shared_.cache.reset();
}

}  // namespace azr::executor
