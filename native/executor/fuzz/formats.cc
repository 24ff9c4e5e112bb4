#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>
#include <string_view>

#include "executor/fuzz/targets.h"
#include "executor/module/audit.h"
#include "executor/values/literal.h"
#include "executor/values/value_text.h"

namespace azr::fuzz {
namespace {

using namespace azr::executor;  // NOLINT(google-build-using-namespace): this file drives it

void put_u32(std::string& out, uint64_t value) {
  for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<char>(value >> shift));
}

// ---- marshal

void put_bytes(std::string& out, Chance& chance, size_t count) {
  for (size_t i = 0; i < count; ++i) out.push_back(static_cast<char>(chance.next()));
}

void put_scalar(std::string& out, Chance& chance) {
  static constexpr std::string_view kCodes = "NTFigylsuz";
  const char code = kCodes[chance.below(kCodes.size())];
  out.push_back(static_cast<char>(code | (chance.one_in(3) ? 0x80 : 0)));
  const size_t count = chance.one_in(50) ? chance.below(3000) : chance.below(6);
  switch (code) {
    case 'i':
      return put_u32(out, chance.edge());
    case 'g':
      return put_bytes(out, chance, 8);
    case 'y':
      return put_bytes(out, chance, 16);
    case 'l':
      put_u32(out, chance.one_in(2) ? count : -count);
      for (size_t i = 0; i < count; ++i) {
        out.push_back(static_cast<char>(chance.next()));
        out.push_back(static_cast<char>(chance.next() & 0x7f));
      }
      return;
    case 's':
      put_u32(out, count);
      return put_bytes(out, chance, count);
    case 'u':
      put_u32(out, 2 * count);
      for (size_t i = 0; i < count; ++i) out += chance.one_in(2) ? "\xc3\xa9" : "'\n";
      return;
    case 'z':
      out.push_back(static_cast<char>(std::min<size_t>(count, 200)));
      out.append(std::min<size_t>(count, 200), 'a');
      return;
    default:
      return;
  }
}

void put_value(std::string& out, Chance& chance, int depth) {
  if (chance.one_in(6)) {  // a reference, perhaps to what encloses it
    out.push_back('r');
    return put_u32(out, chance.one_in(20) ? chance.edge() : chance.below(12));
  }
  if (depth <= 0 || chance.one_in(3)) return put_scalar(out, chance);
  static constexpr std::string_view kCodes = "()[<>{";
  const char code = kCodes[chance.below(kCodes.size())];
  const uint64_t count = chance.below(5);
  out.push_back(static_cast<char>(code | (chance.one_in(2) ? 0x80 : 0)));
  if (code == ')') out.push_back(static_cast<char>(count));
  if (code != ')' && code != '{') put_u32(out, count);
  for (uint64_t i = 0; i < (code == '{' ? 2 * count : count); ++i)
    put_value(out, chance, depth - 1);
  if (code == '{') out.push_back('0');
}

// Sets in sets, doubled tuples, one long number many times: what makes careless code slow.
std::string bomb(Chance& chance) {
  std::string out;
  const uint64_t count = 1 + chance.below(110);
  const std::string unit =
      chance.one_in(2) ? std::string(">\1\0\0\0", 5) : std::string("<\2\0\0\0N", 6);
  if (chance.one_in(3)) {
    for (uint64_t i = 0; i < count; ++i) out += unit;
    return out + "N";
  }
  out.push_back('(');
  put_u32(out, count);
  if (chance.one_in(2)) {  // (x, (x, x), ((x, x), (x, x)), ...)
    out += "\xce";
    for (uint64_t i = 1; i < count; ++i) {
      out += std::string("\xa9\2r", 3);
      put_u32(out, i - 1);
      out.push_back('r');
      put_u32(out, i - 1);
    }
    return out;
  }
  out.clear();
  out.push_back('(');
  put_u32(out, 8001);
  out += '\xec';  // an int of many limbs
  const uint64_t limbs = chance.below(60000);
  put_u32(out, limbs);
  out.append(2 * limbs, '\0');
  if (limbs > 0 && chance.one_in(2)) out.back() = 1;
  for (int i = 0; i < 8000; ++i) {
    out.push_back('r');
    put_u32(out, 0);
  }
  return out;
}

// ---- literals

void put_literal(std::string& out, Chance& chance, int depth) {
  static constexpr std::array<const char*, 30> kScalars{"None",
                                                        "True",
                                                        "0",
                                                        "-1",
                                                        "1_000",
                                                        "0x7fff_ffff",
                                                        "0b1",
                                                        "007",
                                                        "1e400",
                                                        "1e-400",
                                                        ".5",
                                                        "5.",
                                                        "1j",
                                                        "-1-2j",
                                                        "inf",
                                                        "nanj",
                                                        "'a'",
                                                        "\"\\x41\"",
                                                        "b'\\xff'",
                                                        "r'\\'",
                                                        "'\\ud800'",
                                                        "'\\U0010ffff'",
                                                        "'''\n'''",
                                                        "'a' 'b'",
                                                        "set()",
                                                        "frozenset()",
                                                        "99999999999999999999999",
                                                        "#\n1",
                                                        "\\\n2",
                                                        "\xc3\xa9"};
  static constexpr std::array<std::array<const char*, 2>, 8> kBrackets{{{"(", ")"},
                                                                        {"[", "]"},
                                                                        {"{", "}"},
                                                                        {"set([", "])"},
                                                                        {"frozenset({", "})"},
                                                                        {"set((", "))"},
                                                                        {"((", "),)"},
                                                                        {"{1:", "}"}}};
  if (depth <= 0 || chance.one_in(3)) {
    out += kScalars[chance.below(kScalars.size())];
    return;
  }
  const auto& brackets = kBrackets[chance.below(kBrackets.size())];
  out += brackets[0];
  const uint64_t count = chance.below(5);
  for (uint64_t i = 0; i < count; ++i) {
    put_literal(out, chance, depth - 1);
    if (chance.one_in(5)) {
      out += ": ";
      put_literal(out, chance, depth - 1);
    }
    out += chance.one_in(10) ? " " : ", ";
  }
  out += brackets[1];
}

std::string repeated(Chance& chance) {
  static constexpr std::array<const char*, 14> kUnits{"(",    "[",   "{",           "{1:", "set([",
                                                      "-",    "'a'", "frozenset({", "9",   "\\\n",
                                                      "a=1,", "1,",  "0x",          "(1),"};
  const std::string unit = kUnits[chance.below(kUnits.size())];
  std::string out;
  for (uint64_t i = 1 + chance.below(chance.one_in(4) ? 20000 : 200); i > 0; --i) out += unit;
  return out;
}

constexpr size_t kManyBytes = size_t{1} << 22;

// What the writer wrote, the parser reads, and the writer writes again.
void require_round_trip(const std::string& text) {
  std::string again;
  try {
    executor::write_value_text(encode_literal(text), {kManyBytes, false}, again);
  } catch (const LiteralError& error) {
    std::fprintf(stderr, "fuzz: %s: %.2000s\n", error.what(), text.c_str());
    require(false, "a value's text is a literal");
  }
  require(again == text, "a literal's text is its own");
}

// ---- modules

std::string module(Chance& chance) {
  std::string code("\2\4\0\x41\0\x0b", 6);  // two bodies; the second holds some of everything
  static constexpr std::array<const char*, 10> kOps{
      "\x24\x03",     "\x0e\x02\x01\x01\x01", "\x1c\x01\x7f",         "\xfc\x08\x01\x01",
      "\xfc\x0f\x01", "\x43\x01\x01\x01\x01", "\xfd\x0c\x01\x01\x01", "\x1f\x40\x01\x01\x01\x01",
      "\x28\x02\x04", "\x41\xff\xff\xff\x7f"};
  std::string body("\1\1\x7f", 3);
  for (uint64_t i = chance.below(10); i > 0; --i) body += kOps[chance.below(kOps.size())];
  body.push_back('\x0b');
  code.push_back(static_cast<char>(body.size()));
  code += body;
  std::string out("\0asm\1\0\0\0\x0a", 9);
  out.push_back(static_cast<char>(code.size() & 0x7f));
  return out + code;
}

}  // namespace

void value_text(Chance& chance) {
  std::string frame;
  if (chance.one_in(20)) {
    frame = bomb(chance);
  } else {
    put_value(frame, chance, 1 + static_cast<int>(chance.below(7)));
  }
  if (chance.one_in(2)) chance.mutate(frame);
  const size_t cap = chance.one_in(2) ? chance.below(200) : size_t{1} << 20;
  std::string text;
  const TextStatus status = executor::write_value_text(frame, {cap, chance.one_in(2)}, text);
  require(text.size() <= cap, "no literal is longer than its cap");
  require(status == TextStatus::kOk || text.empty(), "a failure leaves no text");
  if (status == TextStatus::kOk) require_round_trip(text);
}

void literal(Chance& chance) {
  std::string text;
  if (chance.one_in(20)) {
    text = repeated(chance);
  } else {
    put_literal(text, chance, 1 + static_cast<int>(chance.below(6)));
  }
  if (chance.one_in(2)) chance.mutate(text);
  try {
    const std::string arguments = encode_arguments(text);
    require(arguments.starts_with("(\2"), "arguments are a pair");
  } catch (const LiteralError&) {
  }
  try {
    std::string out;
    const TextStatus status =
        executor::write_value_text(encode_literal(text), {kManyBytes, false}, out);
    // A string may hold what is no UTF-8, and an int in base 16 more digits than base 10 allows.
    require(status != TextStatus::kNotAValue, "a literal is a value");
    if (status == TextStatus::kOk) require_round_trip(out);
  } catch (const LiteralError&) {
  }
}

void audit(Chance& chance) {
  std::string wasm = module(chance);
  if (!chance.one_in(10)) {
    std::string tail = wasm.substr(8);  // the magic stays, or nothing else would be reached
    chance.mutate(tail);
    wasm = wasm.substr(0, 8) + tail;
  }
  try {
    const ModuleAudit result = audit_module(wasm);
    require(result.functions <= wasm.size(), "a function has at least a byte");
    require(result.undecoded <= result.functions, "only functions are undecoded");
  } catch (const std::runtime_error&) {
    return;
  }
}

}  // namespace azr::fuzz
