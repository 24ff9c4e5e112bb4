// Scalars as repr() writes them, appended to `out`. All but write_double and write_complex throw
// NoText where the bytes are not what marshal writes, or where the text would be too long.
#pragma once

#include <string>
#include <string_view>

namespace azr::executor {

void write_double(std::string& out, double value);
void write_complex(std::string& out, double real, double imaginary);
// `limbs`: 15 bits in two bytes each, least significant first.
void write_big_int(std::string& out, std::string_view limbs, bool negative);
// `text`: UTF-8, lone surrogates allowed.
void write_text(std::string& out, std::string_view text);
void write_bytes(std::string& out, std::string_view bytes);

}  // namespace azr::executor
