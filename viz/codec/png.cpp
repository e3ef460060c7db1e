// PNG through libpng. Its errors leave by longjmp, so the functions that may jump own nothing.
#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <png.h>

#include "codec.h"
#include "fovea/error.h"
#include "fovea/viz/image_file.h"
#include "orientation.h"

namespace fovea::viz {
namespace {

constexpr png_alloc_size_t kMaxChunkBytes = 4 << 20;  // each text chunk, unpacked
constexpr png_uint_32 kMaxChunks = 24;
constexpr std::size_t kMaxStoredChunk = 64 << 20;

struct State {
    Bytes bytes;  // what is still to be read
    std::vector<std::uint8_t>* written = nullptr;
    char message[160] = "";
    // Written between setjmp and longjmp, so not kept in registers.
    std::uint8_t** rows = nullptr;
};

[[noreturn]] void leave(png_structp png, png_const_charp message) {
    auto* state = static_cast<State*>(png_get_error_ptr(png));
    std::snprintf(state->message, sizeof state->message, "%s", message);
    png_longjmp(png, 1);
}

void ignore(png_structp, png_const_charp) {}

void readBytes(png_structp png, png_bytep target, std::size_t size) {
    auto* state = static_cast<State*>(png_get_io_ptr(png));
    if (state->bytes.size() < size) png_error(png, "the end of the file");
    std::memcpy(target, state->bytes.data(), size);
    state->bytes = state->bytes.subspan(size);
}

/// The file up to the first chunk, other than pixel data, that claims more bytes than there are: libpng would set that many
/// aside before it finds out.
Bytes upToFalseLength(Bytes bytes) {
    std::size_t at = 8;
    while (at < bytes.size() && bytes.size() - at >= 8) {
        std::size_t length = 0;
        for (std::size_t i = 0; i < 4; ++i) length = length << 8 | bytes[at + i];
        const bool pixels = std::memcmp(bytes.data() + at + 4, "IDAT", 4) == 0;
        const std::size_t rest = bytes.size() - at - 8;
        if (length > rest || (!pixels && length > kMaxStoredChunk)) return pixels ? bytes : bytes.first(at);
        at += 8 + length + std::min<std::size_t>(4, rest - length);
    }
    return bytes;
}

struct Reader {
    State state;
    png_structp png = nullptr;
    png_infop info = nullptr;
    png_infop end = nullptr;

    explicit Reader(Bytes bytes) {
        state.bytes = upToFalseLength(bytes);
        png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, leave, ignore);
        if (png) info = png_create_info_struct(png);
        if (info) end = png_create_info_struct(png);
    }
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    ~Reader() { png_destroy_read_struct(&png, &info, &end); }
};

bool readHeader(Reader& r) {
    if (setjmp(png_jmpbuf(r.png))) return false;
    png_set_read_fn(r.png, &r.state, readBytes);
    png_set_chunk_malloc_max(r.png, kMaxChunkBytes);
    png_set_chunk_cache_max(r.png, kMaxChunks);
    png_set_user_limits(r.png, 0x7fffffff, 0x7fffffff);  // checkSize() follows, with a better message
    png_read_info(r.png, r.info);
    return true;
}

enum class Rows { Rgb, Rgba, DeepGrey };

/// Asks for rows of 8-bit RGB or RGBA, or of 16-bit grey in the machine's byte order.
bool start(Reader& r, Rows rows) {
    if (setjmp(png_jmpbuf(r.png))) return false;
    if (rows == Rows::DeepGrey) {
        const std::uint16_t probe = 1;
        if (*reinterpret_cast<const std::uint8_t*>(&probe) == 1) png_set_swap(r.png);
    } else {
        const int type = png_get_color_type(r.png, r.info);
        if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(r.png);
        if (type == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(r.png);
        png_set_strip_16(r.png);
        if (rows == Rows::Rgb) png_set_strip_alpha(r.png);
        png_set_gray_to_rgb(r.png);
    }
    png_set_interlace_handling(r.png);
    png_read_update_info(r.png, r.info);
    return true;
}

bool readRows(Reader& r) {
    if (setjmp(png_jmpbuf(r.png))) return false;
    png_read_image(r.png, r.state.rows);
    return true;
}

/// What follows the pixels (EXIF may): damage there does not spoil the picture.
void readEnd(Reader& r) {
    if (setjmp(png_jmpbuf(r.png))) return;
    png_read_end(r.png, r.end);
}

std::vector<std::uint8_t> fromHex(std::string_view text) {
    const auto digit = [](char c) {
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    };
    std::vector<std::uint8_t> bytes;
    int high = -1;
    for (char c : text) {
        const int value = digit(c);
        if (value < 0) continue;
        if (high < 0) {
            high = value;
        } else {
            bytes.push_back(static_cast<std::uint8_t>(high << 4 | value));
            high = -1;
        }
    }
    return bytes;
}

/// An ImageMagick "Raw profile": a line break, the name, the length, then lines of hexadecimal digits.
std::vector<std::uint8_t> rawProfile(std::string_view text) {
    for (int lines = 0; lines < 3; ++lines) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) return {};
        text.remove_prefix(end + 1);
    }
    return fromHex(text);
}

int orientationOf(Reader& r) {
    std::optional<int> exif;
    std::optional<int> profile;
    std::optional<int> xmp;
    for (png_infop info : {r.info, r.end}) {
        png_bytep data = nullptr;
        png_uint_32 size = 0;
        if (png_get_eXIf_1(r.png, info, &size, &data) && data) exif = exifOrientation({data, size}).value_or(0);
        png_textp text = nullptr;
        int count = 0;
        png_get_text(r.png, info, &text, &count);
        for (int i = 0; i < count; ++i) {
            const std::string_view key = text[i].key;
            const std::size_t length = std::max(text[i].text_length, text[i].itxt_length);
            const std::string_view value(text[i].text ? text[i].text : "", text[i].text ? length : 0);
            if (key == "Raw profile type exif") profile = exifOrientation(rawProfile(value));
            if (key == "XML:com.adobe.xmp") xmp = xmpOrientation(value);
        }
    }
    if (exif.value_or(0) > 0) return *exif;
    if (!exif && profile) return *profile;
    return xmp.value_or(1);
}

/// Which rows hold all that the picture says. Pillow's mode of colours with one transparent among them is RGB.
Rows rowsOf(const Reader& r) {
    const int type = png_get_color_type(r.png, r.info);
    const bool keyed = png_get_valid(r.png, r.info, PNG_INFO_tRNS) != 0;
    if ((type & PNG_COLOR_MASK_ALPHA) != 0 || (type == PNG_COLOR_TYPE_PALETTE && keyed)) return Rows::Rgba;
    return type == PNG_COLOR_TYPE_GRAY && png_get_bit_depth(r.png, r.info) == 16 ? Rows::DeepGrey : Rows::Rgb;
}

/// The grey that is transparent, as Pillow compares it with 8-bit greys: as stored, of which a bit alone is scaled.
std::optional<std::uint8_t> greyKey(const Reader& r) {
    png_bytep values = nullptr;
    int count = 0;
    png_color_16p key = nullptr;
    if (png_get_color_type(r.png, r.info) != PNG_COLOR_TYPE_GRAY) return std::nullopt;
    if (!(png_get_tRNS(r.png, r.info, &values, &count, &key) & PNG_INFO_tRNS) || !key) return std::nullopt;
    if (png_get_bit_depth(r.png, r.info) == 1) return key->gray == 0 ? std::uint8_t{0} : std::uint8_t{255};
    return static_cast<std::uint8_t>(key->gray & 255);
}

/// Rows of `rowBytes` behind each other.
void readPicture(Reader& r, const Source& source, std::uint8_t* first, std::size_t rowBytes) {
    std::vector<std::uint8_t*> rows(png_get_image_height(r.png, r.info));
    for (std::size_t y = 0; y < rows.size(); ++y) rows[y] = first + y * rowBytes;
    if (png_get_rowbytes(r.png, r.info) != rowBytes) failDamaged(source, "PNG", "an unusual pixel layout");
    r.state.rows = rows.data();
    if (!readRows(r)) failDamaged(source, "PNG", r.state.message);
}

struct Writer {
    State state;
    png_structp png = nullptr;
    png_infop info = nullptr;

    Writer() {
        png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &state, leave, ignore);
        if (png) info = png_create_info_struct(png);
    }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    ~Writer() { png_destroy_write_struct(&png, &info); }
};

void appendBytes(png_structp png, png_bytep bytes, std::size_t size) {
    auto* state = static_cast<State*>(png_get_io_ptr(png));
    state->written->insert(state->written->end(), bytes, bytes + size);
}

bool write(Writer& w, const Pixels& picture) {
    if (setjmp(png_jmpbuf(w.png))) return false;
    png_set_write_fn(w.png, &w.state, appendBytes, nullptr);
    png_set_user_limits(w.png, 0x7fffffff, 0x7fffffff);
    png_set_IHDR(w.png, w.info, static_cast<png_uint_32>(picture.width), static_cast<png_uint_32>(picture.height), 8,
                 PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(w.png, w.info);
    for (int y = 0; y < picture.height; ++y) png_write_row(w.png, picture.at(0, y));
    png_write_end(w.png, w.info);
    return true;
}

}  // namespace

Decoded decodePng(const Source& source) {
    Reader reader(source.bytes);
    if (!reader.end) throw Error(source.name + ": not enough memory for the PNG decoder",
                                 "close other programs, or scale the picture down first", ErrorCode::Memory);
    const auto fail = [&] { failDamaged(source, "PNG", reader.state.message); };
    if (!readHeader(reader)) fail();
    const std::int64_t width = png_get_image_width(reader.png, reader.info);
    const std::int64_t height = png_get_image_height(reader.png, reader.info);
    const Rows kind = rowsOf(reader);
    checkSize(source, width, height, kind == Rows::Rgba ? 8 : kind == Rows::DeepGrey ? 5 : 3);
    const auto key = greyKey(reader);  // before libpng changes what it says of the file
    if (!start(reader, kind)) fail();

    const auto pixels = static_cast<std::size_t>(width * height);
    const auto columns = static_cast<std::size_t>(width);
    Decoded result;
    if (kind == Rows::Rgba) {
        std::vector<std::uint8_t> rgba(4 * pixels);
        readPicture(reader, source, rgba.data(), 4 * columns);
        result.pixels = splitAlpha(static_cast<int>(width), static_cast<int>(height), std::move(rgba));
    } else {
        result.pixels = Pixels(static_cast<int>(width), static_cast<int>(height));
        std::vector<std::uint16_t> grey(kind == Rows::DeepGrey ? pixels : 0);
        auto* deep = reinterpret_cast<std::uint8_t*>(grey.data());
        readPicture(reader, source, grey.empty() ? result.pixels.rgb.data() : deep, (grey.empty() ? 3 : 2) * columns);
        std::uint8_t* target = result.pixels.rgb.data();
        for (std::uint16_t value : grey)
            target = std::fill_n(target, 3, static_cast<std::uint8_t>(std::min<int>(value, 255)));
    }
    if (key) {
        result.pixels.alpha.resize(pixels);
        for (std::size_t i = 0; i < pixels; ++i) result.pixels.alpha[i] = result.pixels.rgb[3 * i] == *key ? 0 : 255;
    }
    readEnd(reader);
    result.orientation = orientationOf(reader);
    return result;
}

std::vector<std::uint8_t> pngBytes(const Pixels& picture) {
    if (picture.empty()) throw Error("a picture without pixels cannot be written as PNG", {}, ErrorCode::Internal);
    std::vector<std::uint8_t> bytes;
    Writer writer;
    if (!writer.info) throw Error("not enough memory for the PNG encoder", "close other programs, or draw a smaller picture", ErrorCode::Memory);
    writer.state.written = &bytes;
    if (!write(writer, picture)) {
        throw Error(std::string("the PNG encoder failed: ") + writer.state.message, {}, ErrorCode::Internal);
    }
    return bytes;
}

}  // namespace fovea::viz
