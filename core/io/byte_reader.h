#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "fovea/error.h"

namespace fovea {

/// Reads little-endian numbers and strings from bytes in memory; every access is checked and throws Error
/// (Input).
class ByteReader {
public:
    ByteReader(std::span<const std::byte> bytes, const std::string& source, std::uint64_t position = 0)
        : m_bytes(bytes), m_source(source), m_position(position) {
        if (position > bytes.size()) fail(0);
    }

    std::uint64_t position() const { return m_position; }
    std::uint64_t remaining() const { return m_bytes.size() - m_position; }

    std::uint64_t number(int bytes) {
        const auto raw = take(static_cast<std::uint64_t>(bytes));
        std::uint64_t value = 0;
        for (std::size_t i = raw.size(); i-- > 0;)
            value = value << 8 | std::to_integer<std::uint64_t>(raw[i]);
        return value;
    }
    std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
    std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
    std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
    std::uint64_t u64() { return number(8); }

    std::span<const std::byte> take(std::uint64_t count) {
        if (count > remaining()) fail(count);
        const auto part =
            m_bytes.subspan(static_cast<std::size_t>(m_position), static_cast<std::size_t>(count));
        m_position += count;
        return part;
    }
    std::string_view text(std::uint64_t count) {
        const auto part = take(count);
        return {reinterpret_cast<const char*>(part.data()), part.size()};
    }
    void skip(std::uint64_t count) { take(count); }

private:
    [[noreturn]] void fail(std::uint64_t count) const {
        throw Error(m_source + ": expected " + std::to_string(count) + " more bytes at offset " +
                        std::to_string(m_position) + ", found the end of the data",
                    "The file is damaged or incomplete; copy or download it again.");
    }

    std::span<const std::byte> m_bytes;
    const std::string& m_source;
    std::uint64_t m_position;
};

}  // namespace fovea
