#include "executor/pool.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace azr::executor {
namespace {

constexpr int kTicksToInterruptAll = 1 << 22;

}  // namespace

Pool::Pool(PoolOptions options)
    : engine_(load_wasmtime(options.wasmtime_path), EngineOptions{}), counters_(options.workers) {
  engine_.load(options.module_path);
  shared_.engine = &engine_;
  shared_.compile_image = std::make_shared<const Image>(options.compile_image);
  for (const std::string& image : options.run_images) {
    shared_.run_images.push_back(std::make_shared<const Image>(image));
  }
  shared_.zip = std::move(options.zip);
  shared_.check_every = options.check_every;
  shared_.cache = std::make_unique<CodeCache>(options.cache_bytes);

  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, engine_.options().wasm_stack_bytes + kHostStackBytes);
  for (uint32_t i = 0; i < options.workers; ++i) {
    pthread_t thread{};
    if (pthread_create(&thread, &attributes, run_thread, this) != 0) break;
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
    const std::lock_guard<std::mutex> lock(mutex_);
    if (worker != nullptr) counters_[index] = worker->counters();
    reports_.push_back(std::move(report));
    report_ready_.notify_one();
  }
}

void Pool::tick() {
  std::unique_lock<std::mutex> lock(mutex_);
  const auto period = std::chrono::milliseconds(kEpochTickMs);
  while (!tick_stop_.wait_for(lock, period, [this] { return closing_; })) {
    engine_.increment_epoch();
  }
}

void Pool::submit(JobSpec job) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (closing_) throw std::runtime_error("the pool is closed");
    jobs_.push_back(std::move(job));
  }
  job_ready_.notify_one();
}

std::vector<JobReport> Pool::take(size_t limit, uint64_t timeout_ms) {
  std::unique_lock<std::mutex> lock(mutex_);
  report_ready_.wait_for(lock, std::chrono::milliseconds(timeout_ms),
                         [this] { return closing_ || !reports_.empty(); });
  std::vector<JobReport> taken;
  if (reports_.size() <= limit) {
    taken.swap(reports_);
    return taken;
  }
  const auto end = reports_.begin() + static_cast<std::ptrdiff_t>(limit);
  taken.assign(std::make_move_iterator(reports_.begin()), std::make_move_iterator(end));
  reports_.erase(reports_.begin(), end);
  return taken;
}

PoolCounters Pool::counters() {
  const std::lock_guard<std::mutex> lock(mutex_);
  PoolCounters total;
  for (const WorkerCounters& one : counters_) {
    total.workers.jobs += one.jobs;
    total.workers.calls += one.calls;
    total.workers.compiled += one.compiled;
    total.workers.cache_hits += one.cache_hits;
    total.workers.out_of_fuel += one.out_of_fuel;
    total.workers.failures += one.failures;
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
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    closing_ = true;
    shared_.closing = true;
    jobs_.clear();
  }
  // Past every deadline: a guest that still runs is interrupted.
  for (int i = 0; i < kTicksToInterruptAll && !threads_.empty(); ++i) engine_.increment_epoch();
  job_ready_.notify_all();
  report_ready_.notify_all();
  tick_stop_.notify_all();
  for (const pthread_t thread : threads_) pthread_join(thread, nullptr);
  threads_.clear();
  if (ticker_.joinable()) ticker_.join();
}

}  // namespace azr::executor
