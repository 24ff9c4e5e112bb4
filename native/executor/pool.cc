#include "executor/pool.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <utility>

namespace azr::executor {
namespace {

constexpr int kTicksAtOnce = 1 << 18;

}  // namespace

void Pool::load(const PoolOptions& options) {
  const WasmtimeApi& api = load_wasmtime(options.wasmtime_path);
  auto compile_engine = std::make_shared<Engine>(api, kUnmetered);
  compile_engine->load(options.compile_module_path);
  shared_.compile_engine = std::move(compile_engine);
  shared_.compile_image = std::make_shared<const Image>(options.compile_image);
  for (const FlavorOptions& flavor : options.flavors) {
    auto engine = std::make_shared<Engine>(api, kMetered);
    engine->load(flavor.module_path);
    Flavor& made = shared_.flavors.emplace_back();
    made.engine = std::move(engine);
    made.zip = flavor.zip;
    for (const std::string& image : flavor.images) {
      made.images.push_back(std::make_shared<const Image>(image));
    }
  }
}

Pool::Pool(PoolOptions options) : counters_(options.workers) {
  if (options.flavors.empty()) throw std::invalid_argument("a pool needs a flavor");
  load(options);
  shared_.check_every = options.check_every;
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
  ticker_ = std::thread([this] { tick(); });
  if (threads_.size() != options.workers) {
    close();
    throw std::runtime_error("cannot start the worker threads");
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

void Pool::work(size_t index) {
  std::unique_ptr<Worker> worker;
  std::string failure;
  while (true) {
    JobSpec job;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      job_ready_.wait(lock, [this] { return closing_ || !jobs_.empty(); });
      if (closing_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    if (worker == nullptr) {
      try {
        worker = std::make_unique<Worker>(shared_);
      } catch (const std::exception& error) {
        failure = error.what();
      }
    }
    JobReport report;
    if (worker != nullptr) {
      report = worker->process(job);
    } else {
      report.ticket = job.ticket;
      report.failure = failure;
    }
    if (worker != nullptr) {
      const WorkerCounters counters = worker->counters();
      const std::lock_guard<std::mutex> lock(mutex_);
      counters_[index] = counters;
    }
    job.reports->put(std::move(report));
  }
}

void Pool::tick() {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto period = std::chrono::milliseconds(kEpochTickMs);
  while (!tick_stop_.wait_for(lock, period, [this] { return closing_; })) {
    increment_epochs();
  }
}

void Pool::increment_epochs() const {
  shared_.compile_engine->increment_epoch();
  for (const Flavor& flavor : shared_.flavors) flavor.engine->increment_epoch();
}

void Pool::submit(JobSpec job) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closing_) throw std::runtime_error("the pool is closed");
    jobs_.push_back(std::move(job));
  }
  job_ready_.notify_one();
}

PoolCounters Pool::counters() {
  const std::lock_guard<std::mutex> lock(mutex_);
  PoolCounters total;
  for (const WorkerCounters& one : counters_) {
    total.workers.jobs += one.jobs;
    total.workers.calls += one.calls;
    total.workers.compiled += one.compiled;
    total.workers.compiled_metered += one.compiled_metered;
    total.workers.cache_hits += one.cache_hits;
    total.workers.out_of_fuel += one.out_of_fuel;
    total.workers.failures += one.failures;
    total.workers.instances += one.instances;
    total.workers.hot_pages += one.hot_pages;
    total.workers.slots.restores += one.slots.restores;
    total.workers.slots.slow_restores += one.slots.slow_restores;
    total.workers.slots.full_restores += one.slots.full_restores;
    total.workers.slots.checks += one.slots.checks;
    total.workers.slots.failed_checks += one.slots.failed_checks;
  }
  total.queued = jobs_.size();
  return total;
}

void Pool::close() {
  std::deque<JobSpec> dropped;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
    shared_.closing = true;
    dropped.swap(jobs_);
  }
  for (const JobSpec& job : dropped) {
    JobReport report;
    report.ticket = job.ticket;
    report.failure = "the sandbox was closed";
    job.reports->put(std::move(report));
  }
  job_ready_.notify_all();
  tick_stop_.notify_all();
  // Past every deadline, so that a guest that still runs is interrupted. Until all workers have
  // ended: one may have seen no `closing` and set its deadline, which counts from then, later.
  while (working_ > 0) {
    for (int i = 0; i < kTicksAtOnce; ++i) increment_epochs();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  for (const pthread_t thread : threads_) pthread_join(thread, nullptr);
  threads_.clear();
  if (ticker_.joinable()) ticker_.join();
}

}  // namespace azr::executor
