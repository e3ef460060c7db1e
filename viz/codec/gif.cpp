// GIF, first frame: the block structure and the LZW codes of GIF89a.
#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "codec.h"

namespace fovea::viz {
namespace {

constexpr int kMaxCodes = 4096;

class Reader {
public:
    explicit Reader(const Source& source) : m_source(source) {}

    std::uint8_t byte() {
        need(1);
        return m_source.bytes[m_at++];
    }
    int word() {
        need(2);
        m_at += 2;
        return static_cast<int>(little16(m_source.bytes, m_at - 2));
    }
    Bytes take(std::size_t size) {
        need(size);
        m_at += size;
        return m_source.bytes.subspan(m_at - size, size);
    }
    void skipBlocks() {
        while (const std::size_t size = byte()) take(size);
    }

private:
    void need(std::size_t size) const {
        if (m_source.bytes.size() - m_at < size) failDamaged(m_source, "GIF", "the end of the file");
    }

    const Source& m_source;
    std::size_t m_at = 0;
};

// Codes of growing width from the data blocks, lowest bit first.
class CodeReader {
public:
    explicit CodeReader(Reader& reader) : m_reader(reader) {}

    int next(int width) {
        while (m_count < width) {
            while (m_left == 0) {
                m_left = m_reader.byte();
                if (m_left == 0) return -1;
            }
            m_bits |= static_cast<std::uint32_t>(m_reader.byte()) << m_count;
            m_count += 8;
            --m_left;
        }
        const int code = static_cast<int>(m_bits & ((1U << width) - 1));
        m_bits >>= width;
        m_count -= width;
        return code;
    }

private:
    Reader& m_reader;
    std::uint32_t m_bits = 0;
    int m_count = 0;
    int m_left = 0;
};

// Where the pixels of a frame go, in the order they are stored: rows from the top, or in four interlaced passes.
class FrameWriter {
public:
    FrameWriter(std::uint8_t* first, int width, int height, std::size_t stride, bool interlaced)
        : m_first(first), m_width(width), m_height(height), m_stride(stride), m_step(interlaced ? 8 : 1) {}

    bool full() const { return m_row >= m_height; }
    void put(std::uint8_t index) {
        m_first[static_cast<std::size_t>(m_row) * m_stride + static_cast<std::size_t>(m_column)] = index;
        if (++m_column < m_width) return;
        m_column = 0;
        m_row += m_step;
        while (m_step > 1 && m_row >= m_height) {
            // Passes start at rows 0, 4, 2, 1 with steps 8, 8, 4, 2.
            static constexpr std::array<int, 4> kStart{0, 4, 2, 1};
            static constexpr std::array<int, 4> kStep{8, 8, 4, 2};
            if (++m_pass == kStart.size()) return;
            m_row = kStart[m_pass];
            m_step = kStep[m_pass];
        }
    }

private:
    std::uint8_t* m_first;
    int m_width;
    int m_height;
    std::size_t m_stride;
    int m_step;
    int m_row = 0;
    int m_column = 0;
    std::size_t m_pass = 0;
};

void decodeCodes(const Source& source, Reader& reader, FrameWriter& frame) {
    const int literalBits = reader.byte();
    if (literalBits < 1 || literalBits > 8) failDamaged(source, "GIF", "a code size of " + std::to_string(literalBits));
    const int clear = 1 << literalBits;
    std::array<std::uint16_t, kMaxCodes> prefix{};
    std::array<std::uint8_t, kMaxCodes> suffix{};
    std::array<std::uint8_t, kMaxCodes> stack{};
    for (int i = 0; i < clear; ++i) suffix[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(i);
    CodeReader codes(reader);
    int width = literalBits + 1;
    int next = clear + 2;
    int previous = -1;
    std::uint8_t first = 0;
    while (!frame.full()) {
        const int code = codes.next(width);
        if (code < 0 || code == clear + 1) failDamaged(source, "GIF", "the end of the data before the last pixel");
        if (code == clear) {
            width = literalBits + 1;
            next = clear + 2;
            previous = -1;
            continue;
        }
        if (code > next || (code == next && previous < 0) || (previous < 0 && code > clear)) {
            failDamaged(source, "GIF", "a code that does not exist yet");
        }
        std::size_t depth = 0;
        int at = code;
        if (code == next) {
            stack[depth++] = first;
            at = previous;
        }
        while (at >= clear + 2) {
            stack[depth++] = suffix[static_cast<std::size_t>(at)];
            at = prefix[static_cast<std::size_t>(at)];
        }
        first = suffix[static_cast<std::size_t>(at)];
        frame.put(first);
        while (depth > 0 && !frame.full()) frame.put(stack[--depth]);
        if (previous >= 0 && next < kMaxCodes) {
            prefix[static_cast<std::size_t>(next)] = static_cast<std::uint16_t>(previous);
            suffix[static_cast<std::size_t>(next)] = first;
            ++next;
            if (next == 1 << width && width < 12) ++width;
        }
        previous = code;
    }
}

}  // namespace

Decoded decodeGif(const Source& source) {
    Reader reader(source);
    reader.take(6);
    int width = reader.word();
    int height = reader.word();
    const int flags = reader.byte();
    reader.take(2);
    const auto paletteAfter = [&reader](int bits) { return reader.take(std::size_t{3} << ((bits & 7) + 1)); };
    std::optional<Bytes> palette;
    if (flags & 0x80) palette = paletteAfter(flags);
    std::optional<std::uint8_t> transparent;
    for (;;) {
        const int introducer = reader.byte();
        if (introducer == ',') break;
        if (introducer == ';') failDamaged(source, "GIF", "no picture");
        if (introducer != '!') continue;
        const int label = reader.byte();
        if (label != 0xf9) {
            reader.skipBlocks();
            continue;
        }
        const std::size_t size = reader.byte();
        const Bytes control = reader.take(size);
        // The transparent colour is what the part of the canvas outside the frame shows.
        if (size >= 4 && (control[0] & 1)) transparent = control[3];
        if (size > 0) reader.skipBlocks();
    }
    const int left = reader.word();
    const int top = reader.word();
    const int frameWidth = reader.word();
    const int frameHeight = reader.word();
    const int frameFlags = reader.byte();
    if (frameFlags & 0x80) palette = paletteAfter(frameFlags);
    width = std::max(width, left + frameWidth);
    height = std::max(height, top + frameHeight);
    checkSize(source, width, height, 5);
    if (frameWidth < 1 || frameHeight < 1) failDamaged(source, "GIF", "a frame without pixels");

    std::vector<std::uint8_t> indices(static_cast<std::size_t>(width) * static_cast<std::size_t>(height),
                                      transparent.value_or(0));
    FrameWriter frame(indices.data() + static_cast<std::size_t>(top) * static_cast<std::size_t>(width) + left, frameWidth,
                      frameHeight, static_cast<std::size_t>(width), (frameFlags & 0x40) != 0);
    decodeCodes(source, reader, frame);

    std::array<std::array<std::uint8_t, 3>, 256> colours{};
    for (std::size_t i = 0; i < 256; ++i) {
        for (std::size_t c = 0; c < 3; ++c) {
            if (!palette) {
                colours[i][c] = static_cast<std::uint8_t>(i);
            } else if (3 * i + c < palette->size()) {
                colours[i][c] = (*palette)[3 * i + c];
            }
        }
    }
    Decoded result{Pixels(width, height), 1};
    std::uint8_t* target = result.pixels.rgb.data();
    for (std::uint8_t index : indices) target = std::copy_n(colours[index].data(), 3, target);
    if (transparent) {
        result.pixels.alpha = std::move(indices);
        for (std::uint8_t& value : result.pixels.alpha) value = value == *transparent ? 0 : 255;
    }
    return result;
}

}  // namespace fovea::viz
