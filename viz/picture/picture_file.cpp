#include "fovea/viz/picture_file.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdint>
#include <fstream>
#include <system_error>

#include "fovea/error.h"
#include "picture/metadata.h"

namespace fovea::viz {
namespace {

constexpr std::uintmax_t maximumFile = std::uintmax_t{1} << 30;
const std::string pngSignature = "\x89PNG\r\n\x1a\n";
const std::string pngKeyword = "fovea.document";

std::optional<std::string> fromPng(const std::string& bytes, const std::string& name) {
    const auto damaged = [&](const std::string& what) {
        return Error(fmt::format("{}: damaged PNG: {}", name, what), "export the picture again");
    };
    for (std::size_t at = 8;;) {
        if (bytes.size() - at < 12)
            throw damaged(fmt::format("expected a chunk at byte {}, found the end", at));
        std::uint64_t length = 0;
        for (int i = 0; i < 4; ++i) length = length << 8 | static_cast<std::uint8_t>(bytes[at + i]);
        const std::string type = bytes.substr(at + 4, 4);
        if (length > bytes.size() - at - 12)
            throw damaged(fmt::format("chunk {} at byte {} says {} bytes, {} are left", xmlEscaped(type), at,
                                      length, bytes.size() - at - 12));
        if (type == "IEND") return std::nullopt;
        if (type == "iTXt" && length > pngKeyword.size() + 5 &&
            bytes.compare(at + 8, pngKeyword.size(), pngKeyword) == 0 &&
            bytes.compare(at + 8 + pngKeyword.size(), 5, std::string(5, '\0')) == 0)
            return bytes.substr(at + 8 + pngKeyword.size() + 5, length - pngKeyword.size() - 5);
        at += 12 + length;
    }
}

std::optional<std::string> fromElement(const std::string& bytes, const std::string& name) {
    static const std::string open = "<fovea:document xmlns:fovea=\"urn:fovea:picture\">",
                             close = "</fovea:document>";
    const std::size_t from = bytes.find(open);
    if (from == std::string::npos) return std::nullopt;
    const std::size_t end = bytes.find(close, from);
    if (end == std::string::npos)
        throw Error(fmt::format("{}: the embedded document has no end", name), "export the picture again");
    return xmlUnescaped(std::string_view(bytes).substr(from + open.size(), end - from - open.size()));
}

}  // namespace

std::optional<std::string> documentFromBytes(const std::string& bytes, const std::string& name) {
    if (bytes.compare(0, 8, pngSignature) == 0) return fromPng(bytes, name);
    return fromElement(bytes, name);
}

std::optional<std::string> readDocument(const std::filesystem::path& file) {
    std::error_code code;
    if (!std::filesystem::is_regular_file(file, code))
        throw Error(fmt::format("{}: expected a picture file, found none", file.string()), "check the path");
    const std::uintmax_t size = std::filesystem::file_size(file, code);
    if (code) throw Error(fmt::format("{}: {}", file.string(), code.message()));
    if (size > maximumFile)
        throw Error(
            fmt::format("{}: expected a picture of at most 1 GiB, found {} bytes", file.string(), size));
    std::string bytes(static_cast<std::size_t>(size), '\0');
    std::ifstream in(file, std::ios::binary);
    if (!in.read(bytes.data(), static_cast<std::streamsize>(bytes.size())))
        throw Error(fmt::format("{}: cannot be read", file.string()), "check the permissions of the file");
    return documentFromBytes(bytes, file.string());
}

void writePictureFile(const std::filesystem::path& file, const std::string& bytes) {
    const auto failed = [&](const std::string& why) {
        return Error(fmt::format("{}: cannot be written: {}", file.string(), why),
                     "check that the folder exists, is writable and has space");
    };
    // A name of its own for every writer, in the same folder, so that the rename is atomic.
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    std::filesystem::path part = file;
    part +=
        fmt::format(".{:x}.part", static_cast<std::uint64_t>(now) ^ reinterpret_cast<std::uintptr_t>(&bytes));
    std::error_code code;
    {
        std::ofstream out(part, std::ios::binary | std::ios::trunc);
        if (!out) throw failed("the file beside it cannot be created");
        out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        out.close();
        if (!out) {
            std::filesystem::remove(part, code);
            throw failed("the disk is full or went away");
        }
    }
    std::filesystem::rename(part, file, code);
    if (code) {
        const std::string why = code.message();
        std::filesystem::remove(part, code);
        throw failed(why);
    }
}

}  // namespace fovea::viz
