#include "io/zip_reader.h"

#include <algorithm>

#include "io/byte_reader.h"

namespace fovea {
namespace {

constexpr std::uint32_t kLocal = 0x04034b50;
constexpr std::uint32_t kCentral = 0x02014b50;
constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50;
constexpr std::uint32_t kLocator64 = 0x07064b50;
constexpr std::uint64_t kMaxEntries = 1'000'000;
constexpr std::uint64_t kEndBytes = 22;

[[noreturn]] void fail(const std::string& source, const std::string& what) {
    throw Error(source + ": " + what, "The archive is damaged or incomplete; copy or download it again.");
}

struct Directory {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::uint64_t entries = 0;
};

Directory findDirectory(std::span<const std::byte> file, const std::string& source) {
    if (file.size() < kEndBytes)
        fail(source, "expected a zip archive, found " + std::to_string(file.size()) + " bytes");
    const std::uint64_t last = file.size() - kEndBytes;
    const std::uint64_t first = last > 0xFFFF ? last - 0xFFFF : 0;
    for (std::uint64_t at = last + 1; at-- > first;) {
        ByteReader end(file, source, at);
        if (end.u32() != kEnd) continue;
        end.skip(6);
        Directory directory;
        directory.entries = end.u16();
        directory.size = end.u32();
        directory.offset = end.u32();
        const bool zip64 =
            directory.entries == 0xFFFF || directory.size == 0xFFFFFFFF || directory.offset == 0xFFFFFFFF;
        if (!zip64 || at < 20) return directory;
        ByteReader locator(file, source, at - 20);
        if (locator.u32() != kLocator64) return directory;
        locator.skip(4);
        ByteReader end64(file, source, locator.u64());
        if (end64.u32() != kEnd64) fail(source, "expected a zip64 end record, found something else");
        end64.skip(28);
        directory.entries = end64.u64();
        directory.size = end64.u64();
        directory.offset = end64.u64();
        return directory;
    }
    fail(source, "expected a zip archive, found no directory at its end");
}

/// Replaces the numbers that did not fit in 32 bits by those of the zip64 extra field.
void applyZip64(std::span<const std::byte> extra, const std::string& source, std::uint64_t (&numbers)[3]) {
    ByteReader fields(extra, source);
    while (fields.remaining() >= 4) {
        const std::uint16_t id = fields.u16();
        const std::uint16_t size = fields.u16();
        if (size > fields.remaining()) return;
        const auto body = fields.take(size);
        if (id != 0x0001) continue;
        ByteReader values(body, source);
        for (std::uint64_t& number : numbers)
            if (number == 0xFFFFFFFF) number = values.u64();
        return;
    }
}

}  // namespace

std::vector<ZipEntry> readZipDirectory(std::span<const std::byte> file, const std::string& source) {
    const Directory directory = findDirectory(file, source);
    if (directory.entries > kMaxEntries)
        fail(source, "expected at most " + std::to_string(kMaxEntries) + " archive members, found " +
                         std::to_string(directory.entries));
    if (directory.offset > file.size() || directory.size > file.size() - directory.offset)
        fail(source, "the archive's directory lies outside the file");

    std::vector<ZipEntry> entries;
    ByteReader central(
        file.subspan(static_cast<std::size_t>(directory.offset), static_cast<std::size_t>(directory.size)),
        source);
    for (std::uint64_t i = 0; i < directory.entries; ++i) {
        if (central.u32() != kCentral) fail(source, "expected a directory record, found something else");
        central.skip(4);
        const std::uint16_t flags = central.u16();
        const std::uint16_t method = central.u16();
        central.skip(8);
        std::uint64_t compressed = central.u32();
        std::uint64_t plain = central.u32();
        const std::uint16_t nameBytes = central.u16();
        const std::uint16_t extraBytes = central.u16();
        const std::uint16_t commentBytes = central.u16();
        central.skip(8);
        std::uint64_t localOffset = central.u32();
        ZipEntry entry;
        entry.name = std::string(central.text(nameBytes));
        std::uint64_t numbers[3] = {plain, compressed, localOffset};
        applyZip64(central.take(extraBytes), source, numbers);
        central.skip(commentBytes);
        plain = numbers[0];
        compressed = numbers[1];
        localOffset = numbers[2];

        if (localOffset > file.size()) fail(source, "member \"" + entry.name + "\" lies outside the file");
        ByteReader local(file, source, localOffset);
        if (local.u32() != kLocal)
            fail(source, "member \"" + entry.name + "\": expected a local header, found something else");
        local.skip(22);
        const std::uint16_t localName = local.u16();
        const std::uint16_t localExtra = local.u16();
        local.skip(std::uint64_t{localName} + localExtra);
        entry.offset = local.position();
        entry.size = plain;
        entry.stored = method == 0 && (flags & 1) == 0 && compressed == plain;
        if (compressed > file.size() - entry.offset || (entry.stored && plain > file.size() - entry.offset))
            fail(source, "member \"" + entry.name + "\": expected " + std::to_string(compressed) +
                             " bytes, found " + std::to_string(file.size() - entry.offset));
        entries.push_back(std::move(entry));
    }
    return entries;
}

}  // namespace fovea
