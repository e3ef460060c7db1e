#include "io/npz.h"

#include <algorithm>
#include <array>
#include <set>

#include "fovea/error.h"
#include "io/atomic_file.h"
#include "io/tensor_info.h"
#include "text/utf8.h"

namespace fovea {
namespace {

void append(std::string& out, std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

constexpr std::size_t kMaxTextBytes = std::size_t{1} << 28;

// `type` as numpy writes it: "<f4".
std::string npyHeader(const std::string& type, const std::vector<std::int64_t>& sizes) {
    std::string shape;
    for (std::int64_t size : sizes) shape += std::to_string(size) + ", ";
    if (sizes.size() > 1) shape.resize(shape.size() - 2);
    if (sizes.size() == 1) shape.resize(shape.size() - 1);
    std::string text = "{'descr': '" + type + "', 'fortran_order': False, 'shape': (" + shape + "), }";
    text.append(63 - (10 + text.size()) % 64, ' ');
    text += '\n';
    std::string header("\x93NUMPY\x01\x00", 8);
    append(header, text.size(), 2);
    return header + text;
}

std::string npyHeader(const Array& array, const std::string& source) {
    if (checkedBytes(array.shape, 4) != static_cast<std::int64_t>(array.values.size() * 4))
        throw Error(source + ": an array of shape " + shapeText(array.shape) + " holds " +
                        std::to_string(array.values.size()) + " values",
                    {}, ErrorCode::Internal);
    return npyHeader("<f4", array.shape);
}

std::u32string codePoints(const std::string& bytes) {
    std::string valid;
    text::appendLossyUtf8(bytes, valid, text::Utf8Tail::Replace);
    std::u32string out;
    for (std::size_t at = 0; at < valid.size();) {
        const text::Utf8Char next = text::charAt(valid, at);
        out += next.code;
        at += next.length;
    }
    return out;
}

// Characters that every text of a list has room for; numpy has no texts of none.
std::size_t commonWidth(const std::vector<std::string>& texts) {
    std::size_t longest = 1;
    for (const std::string& text : texts) longest = std::max(longest, codePoints(text).size());
    const std::size_t most = kMaxTextBytes / 4 / std::max<std::size_t>(1, texts.size());
    return std::min(longest, std::max<std::size_t>(1, most));
}

// Code points of four bytes each, shorter texts filled with zeros.
std::string fixedWidth(const std::vector<std::string>& texts, std::size_t width) {
    std::string out;
    out.reserve(texts.size() * width * 4);
    for (const std::string& text : texts) {
        std::u32string codes = codePoints(text);
        if (codes.size() > width) codes[width - 1] = U'\u2026';
        codes.resize(width, 0);
        for (const char32_t code : codes) append(out, code, 4);
    }
    return out;
}

class Crc32 {
public:
    void update(std::span<const std::byte> bytes) {
        static const std::array<std::uint32_t, 256> table = [] {
            std::array<std::uint32_t, 256> made{};
            for (std::uint32_t i = 0; i < 256; ++i) {
                std::uint32_t value = i;
                for (int k = 0; k < 8; ++k) value = (value & 1U) != 0 ? 0xEDB88320U ^ value >> 1 : value >> 1;
                made[i] = value;
            }
            return made;
        }();
        for (std::byte byte : bytes)
            m_value = table[(m_value ^ std::to_integer<std::uint32_t>(byte)) & 0xFFU] ^ m_value >> 8;
    }
    std::uint32_t value() const { return ~m_value; }

private:
    std::uint32_t m_value = 0xFFFFFFFFU;
};

struct Member {
    std::string name;
    std::string header;
    const Array* array = nullptr;  ///< the values, or else `owned`
    std::string owned = {};
    std::uint32_t crc = 0;
    std::uint64_t size = 0;
    std::uint64_t offset = 0;

    std::span<const std::byte> data() const {
        return array ? std::as_bytes(std::span(array->values)) : std::as_bytes(std::span(owned));
    }
};

constexpr std::uint64_t kLimit32 = 0xFFFFFFFF;
constexpr std::uint32_t kDate = 0x00210000;  // 1980-01-01: equal numbers give equal files

std::string localHeader(const Member& member) {
    const bool large = member.size >= kLimit32;
    std::string out;
    append(out, 0x04034b50, 4);
    append(out, large ? 45 : 20, 2);
    append(out, 0x0800, 2);  // names are UTF-8
    append(out, 0, 2);
    append(out, kDate, 4);
    append(out, member.crc, 4);
    append(out, large ? kLimit32 : member.size, 4);
    append(out, large ? kLimit32 : member.size, 4);
    append(out, member.name.size(), 2);
    append(out, large ? 20 : 0, 2);
    out += member.name;
    if (large) {
        append(out, 1, 2);
        append(out, 16, 2);
        append(out, member.size, 8);
        append(out, member.size, 8);
    }
    return out;
}

std::string directoryRecord(const Member& member) {
    const bool large = member.size >= kLimit32;
    const bool far = member.offset >= kLimit32;
    std::string extra;
    if (large) {
        append(extra, member.size, 8);
        append(extra, member.size, 8);
    }
    if (far) append(extra, member.offset, 8);
    std::string out;
    append(out, 0x02014b50, 4);
    append(out, 45, 2);
    append(out, large || far ? 45 : 20, 2);
    append(out, 0x0800, 2);
    append(out, 0, 2);
    append(out, kDate, 4);
    append(out, member.crc, 4);
    append(out, large ? kLimit32 : member.size, 4);
    append(out, large ? kLimit32 : member.size, 4);
    append(out, member.name.size(), 2);
    append(out, extra.empty() ? 0 : extra.size() + 4, 2);
    append(out, 0, 2);
    append(out, 0, 2);
    append(out, 0, 2);
    append(out, 0, 4);
    append(out, far ? kLimit32 : member.offset, 4);
    out += member.name;
    if (!extra.empty()) {
        append(out, 1, 2);
        append(out, extra.size(), 2);
        out += extra;
    }
    return out;
}

std::string directoryEnd(std::uint64_t count, std::uint64_t offset, std::uint64_t size) {
    std::string out;
    const bool large = count >= 0xFFFF || offset >= kLimit32 || size >= kLimit32;
    if (large) {
        append(out, 0x06064b50, 4);
        append(out, 44, 8);
        append(out, 45, 2);
        append(out, 45, 2);
        append(out, 0, 8);
        append(out, count, 8);
        append(out, count, 8);
        append(out, size, 8);
        append(out, offset, 8);
        append(out, 0x07064b50, 4);
        append(out, 0, 4);
        append(out, offset + size, 8);
        append(out, 1, 4);
    }
    append(out, 0x06054b50, 4);
    append(out, 0, 4);
    append(out, large ? 0xFFFF : count, 2);
    append(out, large ? 0xFFFF : count, 2);
    append(out, large ? kLimit32 : size, 4);
    append(out, large ? kLimit32 : offset, 4);
    append(out, 0, 2);
    return out;
}

// Members of an archive whose names are still to be checked against each other.
class Members {
public:
    explicit Members(std::string source) : m_source(std::move(source)) {}

    void add(Member member) {
        const std::string& name = member.name;
        if (name.empty() || name.size() > 1000 || !m_names.insert(name).second)
            throw Error(m_source + ": array names must be unique and not empty, found \"" + name.substr(0, 80) + "\"",
                        {}, ErrorCode::Internal);
        member.name += ".npy";
        Crc32 crc;
        crc.update(std::as_bytes(std::span(member.header)));
        crc.update(member.data());
        member.crc = crc.value();
        member.size = member.header.size() + member.data().size();
        m_all.push_back(std::move(member));
    }
    std::vector<Member>& all() { return m_all; }

private:
    std::string m_source;
    std::set<std::string> m_names;
    std::vector<Member> m_all;
};

Member memberOf(const std::string& name, const std::vector<std::string>& texts) {
    const std::size_t width = commonWidth(texts);
    Member member{.name = name,
                  .header = npyHeader("<U" + std::to_string(width), {static_cast<std::int64_t>(texts.size())})};
    member.owned = fixedWidth(texts, width);
    return member;
}

}  // namespace

void writeNpy(const std::filesystem::path& path, const Array& array) {
    const std::string header = npyHeader(array, path.string());
    AtomicFile file(path);
    file.write(header);
    file.write(std::as_bytes(std::span(array.values)));
    file.commit();
}

void writeNpz(const std::filesystem::path& path,
              const std::vector<std::pair<std::string, const Array*>>& arrays,
              const std::vector<std::pair<std::string, std::vector<std::string>>>& texts) {
    Members checked(path.string());
    for (const auto& [name, array] : arrays)
        checked.add({.name = name, .header = npyHeader(*array, path.string()), .array = array});
    for (const auto& [name, list] : texts) checked.add(memberOf(name, list));
    std::vector<Member>& members = checked.all();
    AtomicFile file(path);
    std::uint64_t offset = 0;
    for (Member& member : members) {
        member.offset = offset;
        const std::string local = localHeader(member);
        file.write(local);
        file.write(member.header);
        file.write(member.data());
        offset += local.size() + member.size;
    }
    std::string directory;
    for (const Member& member : members) directory += directoryRecord(member);
    file.write(directory);
    file.write(directoryEnd(members.size(), offset, directory.size()));
    file.commit();
}

}  // namespace fovea
