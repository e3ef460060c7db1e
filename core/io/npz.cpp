#include "io/npz.h"

#include <array>
#include <set>

#include "fovea/error.h"
#include "io/atomic_file.h"
#include "io/tensor_info.h"

namespace fovea {
namespace {

void append(std::string& out, std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xFF);
}

std::string npyHeader(const Array& array, const std::string& source) {
    if (checkedBytes(array.shape, 4) != static_cast<std::int64_t>(array.values.size() * 4))
        throw Error(source + ": an array of shape " + shapeText(array.shape) + " holds " +
                        std::to_string(array.values.size()) + " values",
                    {}, ErrorCode::Internal);
    std::string shape;
    for (std::int64_t size : array.shape) shape += std::to_string(size) + ", ";
    if (array.shape.size() > 1) shape.resize(shape.size() - 2);
    if (array.shape.size() == 1) shape.resize(shape.size() - 1);
    std::string text = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }";
    text.append(63 - (10 + text.size()) % 64, ' ');
    text += '\n';
    std::string header("\x93NUMPY\x01\x00", 8);
    append(header, text.size(), 2);
    return header + text;
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
    const Array* array;
    std::uint32_t crc = 0;
    std::uint64_t size = 0;
    std::uint64_t offset = 0;
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

}  // namespace

void writeNpy(const std::filesystem::path& path, const Array& array) {
    const std::string header = npyHeader(array, path.string());
    AtomicFile file(path);
    file.write(header);
    file.write(std::as_bytes(std::span(array.values)));
    file.commit();
}

void writeNpz(const std::filesystem::path& path,
              const std::vector<std::pair<std::string, const Array*>>& arrays) {
    std::vector<Member> members;
    std::set<std::string> names;
    for (const auto& [name, array] : arrays) {
        if (name.empty() || name.size() > 1000 || !names.insert(name).second)
            throw Error(path.string() + ": array names must be unique and not empty, found \"" +
                            name.substr(0, 80) + "\"",
                        {}, ErrorCode::Internal);
        Member member{name + ".npy", npyHeader(*array, path.string()), array};
        Crc32 crc;
        crc.update(std::as_bytes(std::span(member.header.data(), member.header.size())));
        crc.update(std::as_bytes(std::span(array->values)));
        member.crc = crc.value();
        member.size = member.header.size() + array->values.size() * 4;
        members.push_back(std::move(member));
    }
    AtomicFile file(path);
    std::uint64_t offset = 0;
    for (Member& member : members) {
        member.offset = offset;
        const std::string local = localHeader(member);
        file.write(local);
        file.write(member.header);
        file.write(std::as_bytes(std::span(member.array->values)));
        offset += local.size() + member.size;
    }
    std::string directory;
    for (const Member& member : members) directory += directoryRecord(member);
    file.write(directory);
    file.write(directoryEnd(members.size(), offset, directory.size()));
    file.commit();
}

}  // namespace fovea
