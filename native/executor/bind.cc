// sandbox_wasm._pool: the only place where the executor meets Python. Types: _pool.pyi.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <vector>

#include "executor/memory/trial.h"
#include "executor/module/audit.h"
#include "executor/module/renumber.h"
#include "executor/pool/builder.h"
#include "executor/pool/pool.h"
#include "executor/pool/shared_parts.h"
#include "executor/session/state_file.h"
#include "executor/values/literal.h"
#include "executor/values/literal_value.h"
#include "executor/values/value_text.h"

namespace py = pybind11;

namespace {

using namespace azr::executor;  // NOLINT(google-build-using-namespace): this file binds it

// UTF-8 with lone surrogates let through: model text holds them, and the guest decides.
std::string to_utf8(py::handle text) {
  if (!PyUnicode_Check(text.ptr())) throw py::type_error("expected a str");
  Py_ssize_t size = 0;
  if (const char* data = PyUnicode_AsUTF8AndSize(text.ptr(), &size)) {
    return {data, static_cast<size_t>(size)};
  }
  PyErr_Clear();
  PyObject* encoded = PyUnicode_AsEncodedString(text.ptr(), "utf-8", "surrogatepass");
  if (encoded == nullptr) throw py::error_already_set();
  return std::string(py::reinterpret_steal<py::bytes>(encoded));
}

std::vector<std::string> to_utf8_list(const py::sequence& texts) {
  std::vector<std::string> result;
  result.reserve(texts.size());
  for (const py::handle text : texts) result.push_back(to_utf8(text));
  return result;
}

std::optional<std::string> to_optional(const py::object& text) {
  if (text.is_none()) return std::nullopt;
  return to_utf8(text);
}

py::object from_utf8(const std::optional<std::string>& text, const char* errors) {
  if (!text) return py::none();
  PyObject* decoded =
      PyUnicode_DecodeUTF8(text->data(), static_cast<Py_ssize_t>(text->size()), errors);
  if (decoded == nullptr) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(decoded);
}

// Names and bytes; None where the job wants none.
py::object to_python(const std::optional<NamedFiles>& files) {
  if (!files) return py::none();
  py::dict result;
  for (const auto& [name, data] : *files) result[py::str(name)] = py::bytes(data);
  return result;
}

NamedFiles to_files(const py::sequence& files) {
  NamedFiles result;
  for (const py::handle file : files) {
    const auto [name, data] = file.cast<std::pair<py::str, py::bytes>>();
    result.emplace_back(to_utf8(name), std::string(data));
  }
  return result;
}

py::tuple to_python(const CallReport& call) {
  return py::make_tuple(static_cast<int>(call.outcome),
                        from_utf8(call.value, call.is_turn ? "replace" : "surrogatepass"),
                        from_utf8(call.error, "replace"), call.fuel,
                        from_utf8(call.out, "backslashreplace"),
                        from_utf8(call.err, "backslashreplace"),
                        call.differs == nullptr ? py::object(py::none()) : py::str(call.differs),
                        from_utf8(call.trace, "backslashreplace"),
                        std::const_pointer_cast<State>(call.state), to_python(call.files));
}

py::list take_reports(Reports& reports, size_t at_least, size_t limit, uint64_t timeout_ms) {
  std::vector<JobReport> taken;
  {
    const py::gil_scoped_release unlocked;  // waits on other threads; touches no Python object
    taken = reports.take(at_least, limit, timeout_ms);
  }
  py::list result;
  for (const JobReport& report : taken) {
    py::list calls;
    for (const CallReport& call : report.calls) calls.append(to_python(call));
    const std::optional<std::string> failure =
        report.failure.empty() ? std::nullopt : std::make_optional(report.failure);
    result.append(py::make_tuple(report.ticket, from_utf8(failure, "replace"), calls));
  }
  return result;
}

void submit_job(Pool& pool, std::shared_ptr<Reports> reports, uint64_t ticket, uint32_t flavor,
                const py::str& source, const py::sequence& calls, const py::str& entry,
                bool entry_is_name, const py::sequence& expressions, const py::object& stdin_text,
                const py::object& tests, std::tuple<uint64_t, uint64_t, uint64_t> limits,
                uint32_t images, const py::sequence& banned_modules, bool want_stdout,
                bool want_stderr, std::optional<std::tuple<std::shared_ptr<State>, uint64_t>> turn,
                const py::sequence& files, const py::sequence& want_files) {
  JobSpec job;
  job.reports = std::move(reports);
  job.ticket = ticket;
  job.flavor = flavor;
  job.source = to_utf8(source);
  job.calls = to_utf8_list(calls);
  job.entry = to_utf8(entry);
  job.entry_is_name = entry_is_name;
  job.expressions = to_utf8_list(expressions);
  job.stdin_text = to_optional(stdin_text);
  job.tests = to_optional(tests);
  std::tie(job.fuel, job.memory_bytes, job.output_bytes) = limits;
  job.images = images;
  job.banned_modules = to_utf8_list(banned_modules);
  job.want_stdout = want_stdout;
  job.want_stderr = want_stderr;
  if (turn) job.turn = TurnSpec{std::get<0>(*turn), std::get<1>(*turn)};
  job.files = to_files(files);
  job.want_files = to_utf8_list(want_files);
  pool.submit(std::move(job));
}

bool cancel_job(Pool& pool, const std::shared_ptr<Reports>& reports, uint64_t ticket) {
  const py::gil_scoped_release unlocked;  // takes the pool's lock; touches no Python object
  return pool.cancel(reports, ticket);
}

py::dict counters_to_python(Pool& pool) {
  const PoolCounters counters = pool.counters();
  const WorkerCounters& workers = counters.workers;
  py::dict result;
  result["jobs"] = workers.jobs;
  result["calls"] = workers.calls;
  result["compiled"] = workers.compiled;
  result["compiled_metered"] = workers.compiled_metered;
  result["cache_hits"] = workers.cache_hits;
  result["out_of_fuel"] = workers.out_of_fuel;
  result["machine_failures"] = workers.failures;
  result["net_hits"] = workers.net_hits;
  result["timed_out"] = workers.timed_out;
  result["instances"] = workers.instances;
  result["hot_pages"] = workers.hot_pages;
  result["restores"] = workers.slots.restores;
  result["slow_restores"] = workers.slots.slow_restores;
  result["full_restores"] = workers.slots.full_restores;
  result["restore_checks"] = workers.slots.checks;
  result["restore_check_failures"] = workers.slots.failed_checks;
  result["queued"] = counters.queued;
  result["state_bytes"] = counters.state_bytes;
  result["isolation_lost"] = counters.isolation_lost ? 1 : 0;
  return result;
}

py::bytes compile_module(const std::string& wasmtime_path, const std::string& wasm, bool is_metered,
                         bool for_any_cpu) {
  std::string serialized;
  {
    const py::gil_scoped_release unlocked;  // tens of seconds of native work
    EngineOptions options = is_metered ? kMetered : kUnmetered;
    options.for_any_cpu = for_any_cpu;
    const Engine engine(load_wasmtime(wasmtime_path), options);
    serialized = engine.compile(wasm);
  }
  return py::bytes(serialized);
}

py::bytes boot_image(const std::string& wasmtime_path, const std::string& module_path,
                     const std::string& initial_memory, const std::string& zip,
                     const std::vector<std::string>& turns, uint64_t entropy, bool has_packages) {
  std::string image;
  {
    const py::gil_scoped_release unlocked;  // a guest boots: half a second
    Engine engine(load_wasmtime(wasmtime_path), kMetered);
    engine.load(module_path);
    BootOptions options;
    options.initial_memory = initial_memory;
    options.zip = zip;
    options.turns = turns;
    options.entropy = entropy;
    options.run_constructors = has_packages;
    image = build_image(engine, options);
  }
  return py::bytes(image);
}

py::tuple audit(const py::bytes& wasm) {
  const ModuleAudit result = audit_module(std::string_view(wasm));
  return py::make_tuple(result.functions, result.undecoded, result.state_changes);
}

py::bytes renumber(const py::bytes& wasm, const std::vector<uint32_t>& indices) {
  return py::bytes(renumber_functions(std::string_view(wasm), indices));
}

py::object value_text(const py::bytes& marshal, size_t max_bytes, bool sort_dicts) {
  std::string text;
  const TextStatus status =
      write_value_text(std::string_view(marshal), {max_bytes, sort_dicts}, text);
  if (status != TextStatus::kOk) return py::int_(static_cast<int>(status));
  return from_utf8(text, "surrogatepass");
}

// Runs `compute` on the text without the interpreter's lock if it takes long enough to be noticed.
template <typename Compute>
auto unlocked_if_long(size_t size, Compute compute) {
  constexpr size_t kLong = 4096;
  std::optional<py::gil_scoped_release> unlocked;
  if (size >= kLong) unlocked.emplace();
  return compute();
}

bool same_literals_of(const py::str& a, const py::str& b, double tolerance, bool across_types,
                      Sameness::Tuples tuples, bool numbered_keys, uint64_t hash_mask) {
  const std::string left = to_utf8(a);
  const std::string right = to_utf8(b);
  return unlocked_if_long(left.size() + right.size(), [&] {
    return same_literals(left, right, {across_types, tuples, tolerance},
                         numbered_keys ? Keys::kNumbered : Keys::kThemselves, hash_mask);
  });
}

// A function of one literal's text, and of how long the result may be.
template <std::string (*kFunction)(std::string_view, size_t)>
py::object text_of(const py::str& text, size_t max_bytes) {
  const std::string utf8 = to_utf8(text);
  return from_utf8(unlocked_if_long(utf8.size(), [&] { return kFunction(utf8, max_bytes); }),
                   "surrogatepass");
}

std::string encode_plain_literal(std::string_view text) { return encode_literal(text); }

// A function of one literal's text.
template <auto kFunction>
auto result_of(const py::str& text) {
  const std::string utf8 = to_utf8(text);
  return unlocked_if_long(utf8.size(), [&] { return kFunction(utf8); });
}

// Of each way of knowing what was written: its name, and why it does not work here, or None.
py::list try_dirty_pages(const std::string& wasmtime_path) {
  std::vector<Trial> trials;
  {
    const py::gil_scoped_release unlocked;  // tens of milliseconds; touches no Python object
    const Engine engine(load_wasmtime(wasmtime_path), kUnmetered);
    trials = try_all_ways();
  }
  py::list result;
  for (const Trial& trial : trials) {
    const py::object problem =
        trial.problem.empty() ? py::object(py::none()) : py::str(trial.problem);
    result.append(py::make_tuple(trial.way->name, problem));
  }
  return result;
}

// Of Python's bytes, which are large: read where they lie. The caller holds them.
using FlavorTuple = std::tuple<std::string, std::vector<py::bytes>, py::bytes>;

std::unique_ptr<Pool> make_pool(const std::string& wasmtime_path,
                                const std::string& compile_module_path,
                                const py::bytes& compile_image,
                                const std::vector<FlavorTuple>& flavors, uint32_t workers,
                                uint64_t check_every, const std::string& dirty_pages,
                                uint64_t cache_bytes, std::tuple<uint64_t, uint64_t> net) {
  PoolOptions options{wasmtime_path,
                      compile_module_path,
                      std::string_view(compile_image),
                      {},
                      workers,
                      check_every,
                      dirty_pages,
                      cache_bytes,
                      {}};
  std::tie(options.net.least_cpu_ms, options.net.slowest_fuel_per_ms) = net;
  for (const auto& [module_path, images, zip] : flavors) {
    options.flavors.push_back({module_path, {images.begin(), images.end()}, std::string_view(zip)});
  }
  const py::gil_scoped_release unlocked;  // maps files and starts threads; no Python object
  return std::make_unique<Pool>(std::move(options));
}

}  // namespace

py::bytes saved_state(const State& state, const std::string& image_key) {
  return py::bytes(pack_state(state, image_key));
}

std::shared_ptr<State> read_state(Pool& pool, const py::bytes& packed, uint32_t flavor,
                                  const std::string& image_key, uint64_t max_bytes) {
  return pool.read_state(std::string_view(packed), flavor, image_key, max_bytes);
}

PYBIND11_MODULE(_pool, module) {
  module.doc() = "The executor's native core";
  py::register_exception<LiteralError>(module, "LiteralError", PyExc_ValueError);
  py::class_<Reports, std::shared_ptr<Reports>>(module, "Reports")
      .def(py::init<>())
      .def("take", &take_reports, py::arg("at_least"), py::arg("limit"), py::arg("timeout_ms"));
  py::class_<State, std::shared_ptr<State>>(module, "State")
      .def("save", &saved_state)
      .def_readonly("flavor", &State::flavor)
      .def_readonly("fuel", &State::fuel)
      .def_readonly("turns", &State::turns)
      .def_property_readonly("num_bytes", &State::bytes);
  py::class_<Pool>(module, "Pool")
      .def(py::init(&make_pool), py::kw_only(), py::arg("wasmtime_path"),
           py::arg("compile_module_path"), py::arg("compile_image"), py::arg("flavors"),
           py::arg("workers"), py::arg("check_every"), py::arg("dirty_pages"),
           py::arg("cache_bytes"), py::arg("net"))
      .def("submit", &submit_job)
      .def("cancel", &cancel_job)
      .def("read_state", &read_state)
      .def("state_bytes", &Pool::state_bytes)
      .def("counters", &counters_to_python)
      .def("dirty_pages", &Pool::dirty_pages)
      .def("close", &Pool::close, py::call_guard<py::gil_scoped_release>());
  module.def("give_back_freed_memory", &give_back_freed_memory,
             py::call_guard<py::gil_scoped_release>());
  module.def("try_dirty_pages", &try_dirty_pages);
  module.def("compile_module", &compile_module);
  module.def("boot_image", &boot_image);
  py::enum_<Sameness::Tuples>(module, "Tuples")
      .value("THEMSELVES", Sameness::Tuples::kThemselves)
      .value("LISTS_OUTERMOST", Sameness::Tuples::kListsOutermost)
      .value("LISTS", Sameness::Tuples::kLists);
  module.def("encode_literal",
             [](const py::str& text) { return py::bytes(result_of<&encode_plain_literal>(text)); });
  module.def("encode_arguments",
             [](const py::str& text) { return py::bytes(result_of<&encode_arguments>(text)); });
  module.def("same_literals", &same_literals_of);
  module.def("canonical_literal", &text_of<&canonical_literal>);
  module.def("canonical_arguments", &text_of<&canonical_arguments>);
  module.def("has_tables", &result_of<&has_tables>);
  module.def("literal_type", &result_of<&literal_type>);
  module.def("argument_types", &result_of<&argument_types>);
  module.def("value_text", &value_text);
  module.def("audit_module", &audit);
  module.def("renumber_functions", &renumber);
}
