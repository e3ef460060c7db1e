#include <array>
#include <cstdlib>
#include <limits>

#include "fovea/error.h"
#include "picture/deflate.h"
#include "picture/metadata.h"

namespace fovea::viz {
namespace {

const std::string signature = "\x89PNG\r\n\x1a\n";

std::string bigEndian(std::uint32_t value) {
    std::string bytes;
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(value >> shift & 255));
    return bytes;
}

std::string chunk(const std::string& type, const std::string& data) {
    if (data.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
        throw Error("a PNG chunk of more than 2 GiB", {}, ErrorCode::Memory);
    return bigEndian(static_cast<std::uint32_t>(data.size())) + type + data + bigEndian(crc32(type + data));
}

std::string textChunk(const std::string& keyword, const std::string& text) {
    // Keyword, not compressed, no language, no translated keyword, UTF-8.
    return chunk("iTXt", keyword + std::string(5, '\0') + text);
}

int paeth(int a, int b, int c) {
    const int p = a + b - c, pa = std::abs(p - a), pb = std::abs(p - b), pc = std::abs(p - c);
    return pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
}

/// One scan line under the filter whose residuals are smallest.
void appendFiltered(std::string& out, const std::string& row, const std::string& above, int channels) {
    const auto byte = [](const std::string& s, std::size_t i) {
        return static_cast<int>(static_cast<std::uint8_t>(s[i]));
    };
    std::array<std::string, 5> candidates;
    std::array<std::int64_t, 5> cost{};
    for (auto& candidate : candidates) candidate.resize(row.size());
    for (std::size_t i = 0; i < row.size(); ++i) {
        const bool first = i < static_cast<std::size_t>(channels);
        const int a = first ? 0 : byte(row, i - channels), b = byte(above, i),
                  c = first ? 0 : byte(above, i - channels);
        const std::array<int, 5> prediction = {0, a, b, (a + b) / 2, paeth(a, b, c)};
        for (std::size_t f = 0; f < 5; ++f) {
            const auto residual = static_cast<std::int8_t>(byte(row, i) - prediction[f]);
            candidates[f][i] = static_cast<char>(residual);
            cost[f] += std::abs(static_cast<int>(residual));
        }
    }
    std::size_t best = 0;
    for (std::size_t f = 1; f < 5; ++f)
        if (cost[f] < cost[best]) best = f;
    out.push_back(static_cast<char>(best));
    out += candidates[best];
}

}  // namespace

std::string encodePng(const std::uint8_t* rgba, int width, int height) {
    const std::size_t count = static_cast<std::size_t>(width) * static_cast<std::size_t>(height);
    bool opaque = true;
    for (std::size_t i = 0; i < count && opaque; ++i) opaque = rgba[4 * i + 3] == 255;
    const int channels = opaque ? 3 : 4;
    std::string lines, row(static_cast<std::size_t>(width) * channels, '\0'), above(row.size(), '\0');
    lines.reserve((row.size() + 1) * height);
    for (int y = 0; y < height; ++y) {
        const std::uint8_t* from = rgba + static_cast<std::size_t>(y) * width * 4;
        for (int x = 0; x < width; ++x)
            for (int c = 0; c < channels; ++c)
                row[static_cast<std::size_t>(x) * channels + c] = static_cast<char>(from[4 * x + c]);
        appendFiltered(lines, row, above, channels);
        std::swap(row, above);
    }
    std::string header =
        bigEndian(static_cast<std::uint32_t>(width)) + bigEndian(static_cast<std::uint32_t>(height));
    header += {8, static_cast<char>(opaque ? 2 : 6), 0, 0, 0};
    return signature + chunk("IHDR", header) + chunk("IDAT", zlibCompressed(lines)) + chunk("IEND", "");
}

void insertPngMetadata(std::string& png, const Picture& picture) {
    constexpr std::size_t afterHeader = 8 + 12 + 13;
    if (png.size() < afterHeader || png.compare(0, 8, signature) != 0)
        throw Error("the PNG encoder wrote something else", {}, ErrorCode::Internal);
    std::string chunks = textChunk("Software", "Fovea " FOVEA_VERSION);
    if (!picture.title.empty()) chunks += textChunk("Title", picture.title);
    if (!picture.recipe.empty()) chunks += textChunk("Description", picture.recipe);
    if (!picture.document.empty()) chunks += textChunk("fovea.document", picture.document);
    png.insert(afterHeader, chunks);
}

}  // namespace fovea::viz
