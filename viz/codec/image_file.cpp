#include "fovea/viz/image_file.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <string_view>
#include <utility>

#include "codec.h"
#include "fovea/error.h"
#include "fovea/viz/picture_file.h"
#include "orientation.h"

namespace fovea::viz {
namespace {

constexpr std::int64_t kMaxPixels = 120'000'000;
constexpr std::int64_t kMaxDecodingBytes = 7 * kMaxPixels;
constexpr std::uintmax_t kMaxFileBytes = std::uintmax_t{384} << 20;

bool startsWith(Bytes bytes, std::string_view magic, std::size_t at = 0) {
    return bytes.size() >= at + magic.size() && std::memcmp(bytes.data() + at, magic.data(), magic.size()) == 0;
}

Decoded decode(const Source& source) {
    using namespace std::string_view_literals;
    const Bytes b = source.bytes;
    if (startsWith(b, "\xff\xd8\xff"sv)) return decodeJpeg(source);
    if (startsWith(b, "\x89PNG\r\n\x1a\n"sv)) return decodePng(source);
    if (startsWith(b, "RIFF"sv) && startsWith(b, "WEBP"sv, 8)) return decodeWebp(source);
    if (startsWith(b, "GIF87a"sv) || startsWith(b, "GIF89a"sv)) return decodeGif(source);
    for (const auto magic : {"II\x2a\0"sv, "MM\0\x2a"sv, "II\x2b\0"sv, "MM\0\x2b"sv}) {
        if (startsWith(b, magic)) return decodeTiff(source);
    }
    if (startsWith(b, "BM"sv)) return decodeBmp(source);
    if (startsWith(b, "P6"sv)) return decodePnm(source);
    if (b.empty()) throw Error(source.name + ": expected a picture, found an empty file",
                               "Fetch the file again.");
    throw Error(source.name + ": expected a JPEG, PNG, WebP, GIF, TIFF, BMP or PPM picture, found another kind of file",
                "convert the file to PNG");
}

}  // namespace

Pixels splitAlpha(int width, int height, std::vector<std::uint8_t> rgba) {
    Pixels picture(width, height);
    picture.alpha.resize(rgba.size() / 4);
    for (std::size_t i = 0; i < picture.alpha.size(); ++i) {
        std::copy_n(rgba.data() + 4 * i, 3, picture.rgb.data() + 3 * i);
        picture.alpha[i] = rgba[4 * i + 3];
    }
    return picture;
}

void checkSize(const Source& source, std::int64_t width, std::int64_t height, int bytesPerPixel) {
    const std::int64_t most = std::min(kMaxPixels, kMaxDecodingBytes / bytesPerPixel);
    if (width < 1 || height < 1) {
        throw Error(fmt::format("{}: expected a picture of at least 1 x 1 pixel, found {} x {}", source.name, width, height),
                    "the file is damaged or of a rare kind; convert it to PNG");
    }
    if (width > most || height > most / width) {
        throw Error(fmt::format("{}: expected at most {} million pixels, found {} x {}", source.name, most / 1000000, width,
                                height),
                    "scale the picture down first");
    }
}

void failDamaged(const Source& source, const char* format, const std::string& reason) {
    throw Error(fmt::format("{}: expected a complete {} picture, found: {}", source.name, format, reason),
                "the file is damaged, cut off or of a rare kind; fetch it again or convert it to PNG");
}

Pixels decodeImage(std::span<const std::uint8_t> bytes, const std::string& name) {
    Decoded decoded = decode({bytes, name});
    std::vector<std::uint8_t>& alpha = decoded.pixels.alpha;
    if (std::all_of(alpha.begin(), alpha.end(), [](std::uint8_t value) { return value == 255; })) alpha = {};
    return upright(std::move(decoded.pixels), decoded.orientation);
}

Pixels readImage(const std::filesystem::path& file) {
    const std::string name = file.string();
    std::error_code code;
    if (!std::filesystem::exists(file, code)) throw Error(name + ": expected a picture, found no such file",
                                                          "Check the path; it is relative to the working directory.");
    if (!std::filesystem::is_regular_file(file, code)) {
        const bool folder = std::filesystem::is_directory(file, code);
        throw Error(name + ": expected a picture file, found " + (folder ? "a folder" : "a device, pipe or socket"),
                    folder ? "give the path of a picture in it; fovea-cli run --images takes whole folders"
                           : "write the picture to a file and give its path");
    }
    const std::uintmax_t size = std::filesystem::file_size(file, code);
    if (code || size > kMaxFileBytes) {
        throw Error(fmt::format("{}: expected at most {} MiB, found {}", name, kMaxFileBytes >> 20, size >> 20),
                    "scale the picture down first");
    }
    std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
    std::ifstream stream(file, std::ios::binary);
    stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(size));
    if (!stream) throw Error(name + ": cannot be read", "check its permissions");
    return decodeImage(bytes, name);
}

void writePng(const std::filesystem::path& file, const Pixels& picture) {
    const std::vector<std::uint8_t> bytes = pngBytes(picture);
    writePictureFile(file, std::string(bytes.begin(), bytes.end()));
}

}  // namespace fovea::viz
