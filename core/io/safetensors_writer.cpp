#include <algorithm>
#include <nlohmann/json.hpp>

#include "fovea/error.h"
#include "io/atomic_file.h"
#include "io/safetensors.h"

namespace fovea {
namespace {

std::string headerText(const std::vector<SafetensorsEntry>& entries,
                       const std::map<std::string, std::string>& metadata,
                       const std::filesystem::path& path) {
    nlohmann::ordered_json header = nlohmann::ordered_json::object();
    if (!metadata.empty()) header["__metadata__"] = metadata;
    std::uint64_t offset = 0;
    for (const SafetensorsEntry& entry : entries) {
        const std::int64_t bytes = checkedBytes(entry.shape, itemSize(entry.dtype));
        if (bytes < 0 || entry.name.empty() || entry.name == "__metadata__" ||
            entry.name.size() > kMaxNameBytes || header.contains(entry.name))
            throw Error(path.string() + ": cannot write a tensor \"" + entry.name.substr(0, 80) +
                            "\" of shape " + shapeText(entry.shape),
                        {}, ErrorCode::Internal);
        const std::uint64_t end = offset + static_cast<std::uint64_t>(bytes);
        header[entry.name] = {
            {"dtype", safetensorsName(entry.dtype)}, {"shape", entry.shape}, {"data_offsets", {offset, end}}};
        offset = end;
    }
    std::string text;
    try {
        text = header.dump();
    } catch (const nlohmann::json::exception&) {
        throw Error(path.string() + ": a tensor name or metadata text is not valid UTF-8", {},
                    ErrorCode::Internal);
    }
    text.append((8 - text.size() % 8) % 8, ' ');
    return text;
}

std::string little64(std::uint64_t value) {
    std::string bytes(8, '\0');
    for (char& byte : bytes) {
        byte = static_cast<char>(value & 0xFF);
        value >>= 8;
    }
    return bytes;
}

}  // namespace

SafetensorsEntry SafetensorsEntry::fromBytes(std::string name, Dtype dtype, std::vector<std::int64_t> shape,
                                             std::span<const std::byte> bytes) {
    return {std::move(name), dtype, std::move(shape), [bytes](const Sink& sink) { sink(bytes); }};
}

void writeSafetensors(const std::filesystem::path& path, std::vector<SafetensorsEntry> entries,
                      const std::map<std::string, std::string>& metadata) {
    std::sort(entries.begin(), entries.end(), [](const SafetensorsEntry& a, const SafetensorsEntry& b) {
        const auto sizeA = itemSize(a.dtype);
        const auto sizeB = itemSize(b.dtype);
        return sizeA != sizeB ? sizeA > sizeB : a.name < b.name;
    });
    const std::string header = headerText(entries, metadata, path);
    AtomicFile file(path);
    file.write(little64(header.size()));
    file.write(header);
    for (const SafetensorsEntry& entry : entries) {
        const auto expected = static_cast<std::uint64_t>(checkedBytes(entry.shape, itemSize(entry.dtype)));
        std::uint64_t written = 0;
        entry.produce([&](std::span<const std::byte> bytes) {
            written += bytes.size();
            if (written <= expected) file.write(bytes);
        });
        if (written != expected)
            throw Error(path.string() + ": tensor \"" + entry.name + "\": expected " +
                            std::to_string(expected) + " bytes, found " + std::to_string(written),
                        {}, ErrorCode::Internal);
    }
    file.commit();
}

}  // namespace fovea
