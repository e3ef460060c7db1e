#include <fmt/format.h>

#include <cctype>
#include <charconv>
#include <cmath>

#include "fovea/capture.h"
#include "fovea/error.h"

namespace fovea {
namespace {

struct Unit {
    const char* name;
    double bytes;
};

constexpr Unit units[] = {{"tib", 0x1p40}, {"gib", 0x1p30}, {"mib", 0x1p20}, {"kib", 0x1p10}, {"tb", 1e12},
                          {"gb", 1e9},     {"mb", 1e6},     {"kb", 1e3},     {"t", 0x1p40},   {"g", 0x1p30},
                          {"m", 0x1p20},   {"k", 0x1p10},   {"b", 1},        {"", 1}};

}  // namespace

std::uint64_t parseBytes(const std::string& text) {
    double number = 0;
    const char* end = text.data() + text.size();
    const auto [rest, problem] = std::from_chars(text.data(), end, number);
    std::string suffix;
    for (const char* c = rest; c != end; ++c)
        if (*c != ' ') suffix += static_cast<char>(std::tolower(static_cast<unsigned char>(*c)));
    if (problem == std::errc() && std::isfinite(number) && number >= 0)
        for (const Unit& unit : units)
            if (suffix == unit.name && number * unit.bytes < 0x1p62)
                return static_cast<std::uint64_t>(number * unit.bytes);
    throw Error(fmt::format("\"{}\" is no amount of memory", text), "write it like 4GiB, 512MiB or 2GB",
                ErrorCode::Usage);
}

std::string formatBytes(std::uint64_t bytes) {
    const double value = static_cast<double>(bytes);
    if (value >= 0x1p30) return fmt::format("{:.1f} GiB", value / 0x1p30);
    if (value >= 0x1p20) return fmt::format("{:.1f} MiB", value / 0x1p20);
    if (value >= 0x1p10) return fmt::format("{:.1f} KiB", value / 0x1p10);
    return fmt::format("{} B", bytes);
}

std::string formatBytesUp(std::uint64_t bytes) {
    if (bytes < 1024) return fmt::format("{} B", bytes);
    const int shift = bytes >= std::uint64_t{1} << 30 ? 30 : bytes >= std::uint64_t{1} << 20 ? 20 : 10;
    const std::uint64_t unit = std::uint64_t{1} << shift;
    std::uint64_t tenths = bytes / unit * 10 + (bytes % unit * 10 + unit - 1) / unit;
    const auto text = [&] {
        return fmt::format("{}.{} {}", tenths / 10, tenths % 10, shift == 30 ? "GiB" : shift == 20 ? "MiB" : "KiB");
    };
    // Tenths are not exact in binary.
    while (bytes < std::uint64_t{1} << 61 && parseBytes(text()) < bytes) ++tenths;
    return text();
}

}  // namespace fovea
