// TIFF through libtiff: first page, strips or tiles, grey, colour, palette, CMYK.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdarg>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tiffio.h>

#include "codec.h"
#include "orientation.h"

namespace fovea::viz {
namespace {

constexpr std::int64_t kMaxBlockBytes = std::int64_t{192} << 20;  // one scan line or tile

struct Memory {
    Bytes bytes;
    std::uint64_t at = 0;
};

tmsize_t readMemory(thandle_t handle, void* target, tmsize_t size) {
    auto* memory = static_cast<Memory*>(handle);
    if (size <= 0 || memory->at >= memory->bytes.size()) return 0;
    const std::uint64_t count = std::min<std::uint64_t>(static_cast<std::uint64_t>(size), memory->bytes.size() - memory->at);
    std::memcpy(target, memory->bytes.data() + memory->at, count);
    memory->at += count;
    return static_cast<tmsize_t>(count);
}

toff_t seekMemory(thandle_t handle, toff_t offset, int whence) {
    auto* memory = static_cast<Memory*>(handle);
    if (whence == SEEK_CUR) offset += memory->at;
    if (whence == SEEK_END) offset += memory->bytes.size();
    memory->at = offset;
    return offset;
}

tmsize_t writeNothing(thandle_t, void*, tmsize_t) {
    return 0;
}
int closeNothing(thandle_t) {
    return 0;
}
toff_t memorySize(thandle_t handle) {
    return static_cast<Memory*>(handle)->bytes.size();
}
int mapMemory(thandle_t handle, void** base, toff_t* size) {
    auto* memory = static_cast<Memory*>(handle);
    *base = const_cast<std::uint8_t*>(memory->bytes.data());  // opened for reading only
    *size = memory->bytes.size();
    return 1;
}
void unmapNothing(thandle_t, void*, toff_t) {}

// libtiff's own messages would go to stderr; ours say what a user needs. Newer versions take handlers per file, older ones
// only for the whole process.
#if TIFFLIB_VERSION >= 20221213
int dropMessage(TIFF*, void*, const char*, const char*, va_list) {
    return 1;
}
#endif

TIFF* openMemory(Memory& memory) {
#if TIFFLIB_VERSION >= 20221213
    const std::unique_ptr<TIFFOpenOptions, void (*)(TIFFOpenOptions*)> options(TIFFOpenOptionsAlloc(), TIFFOpenOptionsFree);
    if (!options) return nullptr;
    TIFFOpenOptionsSetErrorHandlerExtR(options.get(), dropMessage, nullptr);
    TIFFOpenOptionsSetWarningHandlerExtR(options.get(), dropMessage, nullptr);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), static_cast<tmsize_t>(2 * kMaxBlockBytes));
    return TIFFClientOpenExt("", "r", &memory, readMemory, writeNothing, seekMemory, closeNothing, memorySize, mapMemory,
                             unmapNothing, options.get());
#else
    TIFFSetErrorHandler(nullptr);
    TIFFSetWarningHandler(nullptr);
    return TIFFClientOpen("", "r", &memory, readMemory, writeNothing, seekMemory, closeNothing, memorySize, mapMemory,
                          unmapNothing);
#endif
}

struct TiffCloser {
    void operator()(TIFF* tiff) const { TIFFClose(tiff); }
};
using TiffPointer = std::unique_ptr<TIFF, TiffCloser>;

struct Layout {
    int width = 0;
    int height = 0;
    int photometric = 0;
    int bits = 1;
    int samples = 1;
    int format = SAMPLEFORMAT_UINT;
    bool planar = false;
    bool convertedByLibrary = false;  // libtiff hands out RGB for the YCbCr inside JPEG
    bool premultiplied = false;  // colours were multiplied by the sample after them
    bool alpha = false;          // the sample after the colours says how opaque they are
    std::array<std::array<std::uint8_t, 3>, 256> palette{};

    int colours() const {
        if (photometric == PHOTOMETRIC_SEPARATED) return 4;
        return photometric == PHOTOMETRIC_RGB || photometric == PHOTOMETRIC_YCBCR ? 3 : 1;
    }
};

template <class T>
T valueAt(const std::uint8_t* bytes, std::size_t index) {
    T value;
    std::memcpy(&value, bytes + index * sizeof(T), sizeof(T));
    return value;
}

/// Sample number `index` of a row as 0..255: high byte of 16-bit colours, everything else cut off at 255.
std::uint8_t sampleAt(const std::uint8_t* row, std::size_t index, const Layout& layout) {
    const bool grey = layout.colours() == 1;
    switch (layout.bits) {
        case 8:
            return row[index];
        case 16:
            if (!grey) return static_cast<std::uint8_t>(valueAt<std::uint16_t>(row, index) >> 8);
            if (layout.format == SAMPLEFORMAT_INT) {
                return static_cast<std::uint8_t>(std::clamp<int>(valueAt<std::int16_t>(row, index), 0, 255));
            }
            return static_cast<std::uint8_t>(std::min<int>(valueAt<std::uint16_t>(row, index), 255));
        case 32:
            if (layout.format == SAMPLEFORMAT_IEEEFP) {
                const float value = valueAt<float>(row, index);
                return value > 0 ? static_cast<std::uint8_t>(std::min(value, 255.0F)) : std::uint8_t{0};
            }
            return static_cast<std::uint8_t>(std::clamp<std::int64_t>(valueAt<std::int32_t>(row, index), 0, 255));
        default: {  // 1, 2 or 4 bits
            const std::size_t perByte = 8 / static_cast<std::size_t>(layout.bits);
            const std::size_t shift = (perByte - 1 - index % perByte) * static_cast<std::size_t>(layout.bits);
            return static_cast<std::uint8_t>(row[index / perByte] >> shift & ((1 << layout.bits) - 1));
        }
    }
}

std::uint8_t unmultiplied(int colour, int alpha) {
    if (alpha == 0) return 0;
    return static_cast<std::uint8_t>(std::min(255, 255 * colour / alpha));
}

/// ITU-R BT.601 in 26.6 fixed point with each product rounded for itself, as Pillow does.
void ycbcrToRgb(int y, int cb, int cr, std::uint8_t* target) {
    const auto product = [](double factor, int value) { return static_cast<int>(factor * (value - 128) * 64 + 0.5); };
    const auto clipped = [](int value) { return static_cast<std::uint8_t>(std::clamp(value, 0, 255)); };
    target[0] = clipped(y + (product(1.402, cr) >> 6));
    target[1] = clipped(y + ((product(-0.34414, cb) + product(-0.71414, cr)) >> 6));
    target[2] = clipped(y + (product(1.772, cb) >> 6));
}

/// Where alpha of the pixel in column x of row y goes; null where there is none.
std::uint8_t* alphaAt(Pixels& pixels, std::uint32_t x, std::uint32_t y) {
    return pixels.alpha.empty() ? nullptr : pixels.alpha.data() + std::size_t{y} * static_cast<std::size_t>(pixels.width) + x;
}

/// Turns `count` pixels of interleaved samples into RGB, and into alpha where that is not null.
void convertRow(const std::uint8_t* row, std::size_t count, const Layout& layout, std::uint8_t* target, std::uint8_t* alpha) {
    const std::size_t samples = static_cast<std::size_t>(layout.samples);
    const auto behind = static_cast<std::size_t>(layout.colours());
    for (std::size_t x = 0; alpha && x < count; ++x) alpha[x] = sampleAt(row, x * samples + behind, layout);
    for (std::size_t x = 0; x < count; ++x, target += 3) {
        const auto sample = [&](std::size_t s) { return sampleAt(row, x * samples + s, layout); };
        switch (layout.photometric) {
            case PHOTOMETRIC_PALETTE:
                std::copy_n(layout.palette[sample(0)].data(), 3, target);
                break;
            case PHOTOMETRIC_SEPARATED: {
                const int light = 255 - sample(3);
                for (std::size_t c = 0; c < 3; ++c) {
                    const int product = sample(c) * light + 128;
                    target[c] = static_cast<std::uint8_t>(std::clamp(light - (((product >> 8) + product) >> 8), 0, 255));
                }
                break;
            }
            case PHOTOMETRIC_YCBCR:
                if (!layout.convertedByLibrary) {
                    ycbcrToRgb(sample(0), sample(1), sample(2), target);
                    break;
                }
                [[fallthrough]];
            case PHOTOMETRIC_RGB:
                for (std::size_t c = 0; c < 3; ++c) {
                    target[c] = layout.premultiplied ? unmultiplied(sample(c), sample(3)) : sample(c);
                }
                break;
            default: {
                int value = sample(0);
                if (layout.bits < 8) value = value * 255 / ((1 << layout.bits) - 1);
                if (layout.photometric == PHOTOMETRIC_MINISWHITE && layout.bits <= 8) value = 255 - value;
                if (layout.premultiplied) value = unmultiplied(value, sample(1));
                std::fill_n(target, 3, static_cast<std::uint8_t>(value));
            }
        }
    }
}

std::string describe(const Layout& layout) {
    return std::to_string(layout.samples) + " samples of " + std::to_string(layout.bits) + " bits, photometric " +
           std::to_string(layout.photometric);
}

Layout layoutOf(const Source& source, TIFF* tiff) {
    std::uint32_t width = 0;
    std::uint32_t height = 0;
    if (!TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &width) || !TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &height)) {
        failDamaged(source, "TIFF", "no size");
    }
    checkSize(source, width, height, 4);
    const auto number = [tiff](std::uint32_t tag) {
        std::uint16_t value = 0;
        TIFFGetFieldDefaulted(tiff, tag, &value);
        return static_cast<int>(value);
    };
    Layout layout;
    layout.width = static_cast<int>(width);
    layout.height = static_cast<int>(height);
    layout.bits = number(TIFFTAG_BITSPERSAMPLE);
    layout.samples = number(TIFFTAG_SAMPLESPERPIXEL);
    layout.format = number(TIFFTAG_SAMPLEFORMAT);
    layout.planar = number(TIFFTAG_PLANARCONFIG) == PLANARCONFIG_SEPARATE && layout.samples > 1;
    layout.photometric = number(TIFFTAG_PHOTOMETRIC);
    std::uint16_t extras = 0;
    std::uint16_t* kinds = nullptr;
    const int colours = layout.colours();
    if (TIFFGetField(tiff, TIFFTAG_EXTRASAMPLES, &extras, &kinds) && extras > 0) {
        layout.premultiplied = kinds[0] == EXTRASAMPLE_ASSOCALPHA;
        layout.alpha = layout.samples > colours && layout.bits >= 8 && kinds[0] != EXTRASAMPLE_UNSPECIFIED;
    } else {  // as Pillow takes a fourth sample of which the file says nothing
        layout.alpha = layout.photometric == PHOTOMETRIC_RGB && layout.samples == 4;
    }
    const bool opaque = layout.photometric == PHOTOMETRIC_SEPARATED || layout.photometric == PHOTOMETRIC_YCBCR;
    layout.alpha = layout.alpha && !opaque;
    const bool small = layout.bits == 1 || layout.bits == 2 || layout.bits == 4;
    const bool whole = layout.format == SAMPLEFORMAT_UINT || layout.format == SAMPLEFORMAT_VOID;
    bool known = layout.photometric <= PHOTOMETRIC_YCBCR && layout.photometric != PHOTOMETRIC_MASK &&
                 layout.samples >= colours && layout.samples <= 6;
    if (colours > 1) known = known && (layout.bits == 8 || layout.bits == 16) && whole;
    if (colours == 1 && layout.photometric == PHOTOMETRIC_PALETTE) known = known && (small || layout.bits == 8) && whole;
    if (colours == 1) known = known && (layout.samples == 1 || layout.bits == 8);
    known = known && (small || layout.bits == 8 || layout.bits == 16 || layout.bits == 32);
    known = known && (layout.format != SAMPLEFORMAT_IEEEFP || layout.bits == 32);
    known = known && (layout.samples > colours || !layout.premultiplied);
    if (!known) failDamaged(source, "TIFF", describe(layout));
    if (layout.photometric == PHOTOMETRIC_PALETTE) {
        std::uint16_t* map[3] = {};
        if (!TIFFGetField(tiff, TIFFTAG_COLORMAP, &map[0], &map[1], &map[2])) failDamaged(source, "TIFF", "no palette");
        for (std::size_t i = 0; i < std::size_t{1} << layout.bits; ++i) {
            for (std::size_t c = 0; c < 3; ++c) layout.palette[i][c] = static_cast<std::uint8_t>(map[c][i] >> 8);
        }
    }
    return layout;
}

void checkBlock(const Source& source, std::int64_t bytes) {
    if (bytes < 1 || bytes > kMaxBlockBytes) failDamaged(source, "TIFF", "blocks of " + std::to_string(bytes) + " bytes");
}

/// Joins rows of one sample each into rows of interleaved samples. One sample at a time: rows of a strip come in order.
void interleave(const std::uint8_t* plane, std::size_t count, std::size_t sample, const Layout& layout, std::uint8_t* row) {
    const std::size_t bytes = static_cast<std::size_t>(layout.bits) / 8;
    for (std::size_t x = 0; x < count; ++x) {
        std::memcpy(row + (x * static_cast<std::size_t>(layout.samples) + sample) * bytes, plane + x * bytes, bytes);
    }
}

void readStrips(const Source& source, TIFF* tiff, const Layout& layout, Pixels& pixels) {
    const tmsize_t size = TIFFScanlineSize(tiff);
    checkBlock(source, size);
    std::vector<std::uint8_t> row(static_cast<std::size_t>(size));
    const std::size_t width = static_cast<std::size_t>(layout.width);
    if (!layout.planar) {
        for (int y = 0; y < layout.height; ++y) {
            if (TIFFReadScanline(tiff, row.data(), static_cast<std::uint32_t>(y), 0) < 0) {
                failDamaged(source, "TIFF", "row " + std::to_string(y) + " that cannot be decoded");
            }
            convertRow(row.data(), width, layout, pixels.at(0, y), alphaAt(pixels, 0, static_cast<std::uint32_t>(y)));
        }
        return;
    }
    if (layout.photometric != PHOTOMETRIC_RGB || layout.premultiplied) {
        failDamaged(source, "TIFF", "separate planes of " + describe(layout));
    }
    Layout single = layout;
    single.samples = 1;
    for (int c = 0; c < (layout.alpha ? 4 : 3); ++c) {
        for (int y = 0; y < layout.height; ++y) {
            if (TIFFReadScanline(tiff, row.data(), static_cast<std::uint32_t>(y), static_cast<std::uint16_t>(c)) < 0) {
                failDamaged(source, "TIFF", "row " + std::to_string(y) + " that cannot be decoded");
            }
            std::uint8_t* target = c < 3 ? pixels.at(0, y) + c : alphaAt(pixels, 0, static_cast<std::uint32_t>(y));
            const std::size_t step = c < 3 ? 3 : 1;
            for (std::size_t x = 0; x < width; ++x) target[step * x] = sampleAt(row.data(), x, single);
        }
    }
}

void readTiles(const Source& source, TIFF* tiff, const Layout& layout, Pixels& pixels) {
    std::uint32_t tileWidth = 0;
    std::uint32_t tileHeight = 0;
    TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &tileWidth);
    TIFFGetField(tiff, TIFFTAG_TILELENGTH, &tileHeight);
    const std::int64_t size = TIFFTileSize(tiff);
    const std::int64_t rowSize = TIFFTileRowSize(tiff);
    checkBlock(source, size);
    checkBlock(source, rowSize);
    if (tileWidth == 0 || tileHeight == 0 || rowSize * tileHeight > size) failDamaged(source, "TIFF", "tiles without a size");
    const int planes = layout.planar ? layout.samples : 1;
    if (layout.planar && (layout.bits < 8 || size * planes > kMaxBlockBytes)) {
        failDamaged(source, "TIFF", "separate planes of " + describe(layout));
    }
    std::vector<std::uint8_t> tile(static_cast<std::size_t>(size));
    std::vector<std::uint8_t> joined(layout.planar ? static_cast<std::size_t>(size) * static_cast<std::size_t>(planes) : 0);
    for (std::uint32_t top = 0; top < static_cast<std::uint32_t>(layout.height); top += tileHeight) {
        for (std::uint32_t left = 0; left < static_cast<std::uint32_t>(layout.width); left += tileWidth) {
            const std::size_t count = std::min<std::size_t>(tileWidth, static_cast<std::size_t>(layout.width) - left);
            const std::size_t rows = std::min<std::size_t>(tileHeight, static_cast<std::size_t>(layout.height) - top);
            const std::size_t stride = static_cast<std::size_t>(rowSize) * static_cast<std::size_t>(planes);
            for (int plane = 0; plane < planes; ++plane) {
                if (TIFFReadTile(tiff, tile.data(), left, top, 0, static_cast<std::uint16_t>(plane)) < 0) {
                    failDamaged(source, "TIFF", "a tile that cannot be decoded");
                }
                for (std::size_t y = 0; layout.planar && y < rows; ++y) {
                    interleave(tile.data() + y * static_cast<std::size_t>(rowSize), count, static_cast<std::size_t>(plane),
                               layout, joined.data() + y * stride);
                }
            }
            const std::uint8_t* first = layout.planar ? joined.data() : tile.data();
            for (std::size_t y = 0; y < rows; ++y) {
                convertRow(first + y * stride, count, layout,
                           pixels.at(static_cast<int>(left), static_cast<int>(top + y)),
                           alphaAt(pixels, left, top + static_cast<std::uint32_t>(y)));
            }
        }
    }
}

/// Compressed or subsampled YCbCr without JPEG: libtiff's own conversion, upright in the way it is stored.
void readYcbcr(const Source& source, TIFF* tiff, Pixels& pixels) {
    checkSize(source, pixels.width, pixels.height, 7);
    std::vector<std::uint32_t> raster(static_cast<std::size_t>(pixels.width) * static_cast<std::size_t>(pixels.height));
    TIFFSetField(tiff, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
    if (!TIFFReadRGBAImageOriented(tiff, static_cast<std::uint32_t>(pixels.width), static_cast<std::uint32_t>(pixels.height),
                                   raster.data(), ORIENTATION_TOPLEFT, 1)) {
        failDamaged(source, "TIFF", "pixels that cannot be decoded");
    }
    std::uint8_t* target = pixels.rgb.data();
    for (std::uint32_t pixel : raster) {
        *target++ = static_cast<std::uint8_t>(TIFFGetR(pixel));
        *target++ = static_cast<std::uint8_t>(TIFFGetG(pixel));
        *target++ = static_cast<std::uint8_t>(TIFFGetB(pixel));
    }
}

}  // namespace

Decoded decodeTiff(const Source& source) {
    Memory memory{source.bytes, 0};
    const TiffPointer tiff(openMemory(memory));
    if (!tiff) failDamaged(source, "TIFF", "a header that libtiff refuses");
    std::uint16_t compression = COMPRESSION_NONE;
    TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_COMPRESSION, &compression);
    if (!TIFFIsCODECConfigured(compression)) failDamaged(source, "TIFF", "compression " + std::to_string(compression));
    Layout layout = layoutOf(source, tiff.get());

    Decoded result{Pixels(layout.width, layout.height), 1};
    std::uint16_t orientation = 1;
    if (TIFFGetField(tiff.get(), TIFFTAG_ORIENTATION, &orientation)) {
        result.orientation = orientation;
    } else {
        std::uint32_t size = 0;
        const char* packet = nullptr;
        if (TIFFGetField(tiff.get(), TIFFTAG_XMLPACKET, &size, &packet) && packet) {
            result.orientation = xmpOrientation({packet, size}).value_or(1);
        }
    }
    if (layout.photometric == PHOTOMETRIC_YCBCR) {
        std::uint16_t across = 2;
        std::uint16_t down = 2;
        TIFFGetFieldDefaulted(tiff.get(), TIFFTAG_YCBCRSUBSAMPLING, &across, &down);
        layout.convertedByLibrary = compression == COMPRESSION_JPEG;
        if (layout.convertedByLibrary) {
            TIFFSetField(tiff.get(), TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        } else if (compression != COMPRESSION_NONE || across != 1 || down != 1 || layout.bits != 8 || layout.planar) {
            readYcbcr(source, tiff.get(), result.pixels);
            return result;
        }
    }
    if (layout.alpha) {
        checkSize(source, layout.width, layout.height, 8);
        result.pixels.alpha.resize(static_cast<std::size_t>(layout.width) * static_cast<std::size_t>(layout.height), 255);
    }
    if (TIFFIsTiled(tiff.get())) {
        readTiles(source, tiff.get(), layout, result.pixels);
    } else {
        readStrips(source, tiff.get(), layout, result.pixels);
    }
    return result;
}

}  // namespace fovea::viz
