#include "fovea/ppm.h"

#include <algorithm>
#include <cstddef>
#include <fmt/format.h>
#include <string_view>

#include "fovea/error.h"
#include "io/atomic_file.h"
#include "io/mapped_file.h"

namespace fovea {
namespace {

constexpr std::int64_t kMaxPixels = 120'000'000;

bool isSpace(std::uint8_t byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/// The header's numbers, one after the other, with comments between them skipped.
class Header {
public:
    Header(std::span<const std::uint8_t> bytes, const std::string& name) : m_bytes(bytes), m_name(name) {}

    int number(const char* what) {
        while (m_at < m_bytes.size() && (isSpace(m_bytes[m_at]) || m_bytes[m_at] == '#')) {
            const bool comment = m_bytes[m_at++] == '#';
            while (comment && m_at < m_bytes.size() && m_bytes[m_at] != '\n' && m_bytes[m_at] != '\r') ++m_at;
        }
        int value = 0;
        const std::size_t begin = m_at;
        while (m_at < m_bytes.size() && m_bytes[m_at] >= '0' && m_bytes[m_at] <= '9' && m_at - begin < 9) {
            value = value * 10 + (m_bytes[m_at++] - '0');
        }
        if (m_at == begin || m_at == m_bytes.size() || !isSpace(m_bytes[m_at])) {
            throw Error(fmt::format("{}: expected the {} as a number of at most 9 digits in the PPM header",
                                    m_name, what),
                        "The file is damaged or of a rare kind; convert it to PNG or write it again.");
        }
        return value;
    }
    /// The pixels: what follows the single space after the last number.
    std::span<const std::uint8_t> rest() const { return m_bytes.subspan(m_at + 1); }

private:
    std::span<const std::uint8_t> m_bytes;
    const std::string& m_name;
    std::size_t m_at = 2;
};

}  // namespace

Pixels decodePpm(std::span<const std::uint8_t> bytes, const std::string& name) {
    if (bytes.size() < 3 || bytes[0] != 'P' || bytes[1] != '6' || !(isSpace(bytes[2]) || bytes[2] == '#')) {
        throw Error(name + ": expected a binary PPM picture (P6)",
                    "convert it with: magick IN.png OUT.ppm, or use a build with the window, which reads "
                    "more formats");
    }
    Header header(bytes, name);
    const int width = header.number("width");
    const int height = header.number("height");
    const int most = header.number("largest value");
    if (most != 255)
        throw Error(fmt::format("{}: expected a PPM with a largest value of 255, found {}", name, most),
                    "Convert it to 8 bits a channel: magick IN.ppm -depth 8 OUT.ppm");
    if (width < 1 || height < 1 || std::int64_t{width} * height > kMaxPixels) {
        throw Error(
            fmt::format("{}: expected 1 to {} pixels, found {} x {}", name, kMaxPixels, width, height),
            "Scale the picture to a size in between first.");
    }
    const auto pixels = header.rest();
    const std::size_t needed = static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3;
    if (pixels.size() < needed) {
        throw Error(fmt::format("{}: expected {} bytes of pixels, found {}", name, needed, pixels.size()),
                    "the file is cut off; fetch it again");
    }
    Pixels picture;
    picture.width = width;
    picture.height = height;
    picture.rgb.assign(pixels.begin(), pixels.begin() + static_cast<std::ptrdiff_t>(needed));
    return picture;
}

Pixels readPpm(const std::filesystem::path& file) {
    const auto mapped = MappedFile::open(file);
    const auto bytes = mapped->bytes();
    return decodePpm({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, file.string());
}

void writePpm(const std::filesystem::path& file, const Pixels& picture) {
    if (picture.empty()) throw Error(file.string() + ": a picture without pixels cannot be written",
                                     "Give a picture that has pixels.");
    AtomicFile out(file);
    out.write(fmt::format("P6\n{} {}\n255\n", picture.width, picture.height));
    out.write(std::as_bytes(std::span(picture.rgb)));
    out.commit();
}

}  // namespace fovea
