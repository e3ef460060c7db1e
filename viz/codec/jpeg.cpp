// JPEG through libjpeg-turbo. Its errors leave by longjmp, so the functions that may jump own nothing.
#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <jerror.h>
#include <jpeglib.h>

#include "codec.h"
#include "orientation.h"

namespace fovea::viz {
namespace {

constexpr int kMaxScans = 100;  // progressive files of a few bytes per scan would otherwise decode for hours
constexpr std::int64_t kMaxBytes = 960'000'000;  // coefficients of a progressive file and the result

struct Failure {
    jpeg_error_mgr base;  // must be first: libjpeg hands back a pointer to it
    std::jmp_buf target;
    char message[JMSG_LENGTH_MAX];
    bool cutOff;
};

Failure& failureOf(j_common_ptr info) {
    return *reinterpret_cast<Failure*>(info->err);
}

[[noreturn]] void leave(j_common_ptr info) {
    info->err->format_message(info, failureOf(info).message);
    std::longjmp(failureOf(info).target, 1);
}

void noteWarning(j_common_ptr info, int level) {
    if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF) failureOf(info).cutOff = true;
}

void countScans(j_common_ptr info) {
    if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMaxScans) return;
    std::snprintf(failureOf(info).message, JMSG_LENGTH_MAX, "more than %d scans", kMaxScans);
    std::longjmp(failureOf(info).target, 1);
}

struct Decoder {
    jpeg_decompress_struct info{};
    Failure failure{};
    jpeg_progress_mgr progress{};

    Decoder() {
        info.err = jpeg_std_error(&failure.base);
        failure.base.error_exit = leave;
        failure.base.emit_message = noteWarning;
        progress.progress_monitor = countScans;
    }
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;
    ~Decoder() { jpeg_destroy_decompress(&info); }
};

bool readHeader(Decoder& d, Bytes bytes) {
    if (setjmp(d.failure.target)) return false;
    jpeg_create_decompress(&d.info);
    d.info.progress = &d.progress;
    jpeg_mem_src(&d.info, bytes.data(), static_cast<unsigned long>(bytes.size()));
    jpeg_save_markers(&d.info, JPEG_APP0 + 1, 0xffff);
    jpeg_read_header(&d.info, TRUE);
    return true;
}

bool start(Decoder& d) {
    if (setjmp(d.failure.target)) return false;
    d.info.out_color_space = d.info.num_components == 1   ? JCS_GRAYSCALE
                             : d.info.num_components == 3 ? JCS_RGB
                                                          : JCS_CMYK;
    jpeg_start_decompress(&d.info);
    return true;
}

bool readRow(Decoder& d, std::uint8_t* row) {
    if (setjmp(d.failure.target)) return false;
    JSAMPROW rows[1] = {row};
    return jpeg_read_scanlines(&d.info, rows, 1) == 1;
}

std::int64_t coefficientBytes(const Decoder& d) {
    std::int64_t bytes = 0;
    for (int c = 0; c < d.info.num_components; ++c) {
        const jpeg_component_info& component = d.info.comp_info[c];
        bytes += std::int64_t{component.width_in_blocks} * component.height_in_blocks * DCTSIZE2 * 2;
    }
    return bytes;
}

int orientationOf(const Decoder& d) {
    constexpr std::size_t kXmpHeader = 29;  // "http://ns.adobe.com/xap/1.0/" and its zero
    std::vector<std::uint8_t> exif;
    std::string_view xmp;
    for (auto* marker = d.info.marker_list; marker; marker = marker->next) {
        const Bytes data(marker->data, marker->data_length);
        if (data.size() >= 6 && std::memcmp(data.data(), "Exif\0\0", 6) == 0) {
            exif.insert(exif.end(), data.begin() + 6, data.end());
        } else if (data.size() >= kXmpHeader &&
                   std::memcmp(data.data(), "http://ns.adobe.com/xap/1.0/", kXmpHeader) == 0) {
            xmp = {reinterpret_cast<const char*>(data.data()) + kXmpHeader, data.size() - kXmpHeader};
        }
    }
    if (const auto found = exifOrientation(exif)) return *found;
    return xmpOrientation(xmp).value_or(1);
}

/// Four inks as Adobe stores them, inverted: the paper's white is 255 in all of them.
void invertedCmykToRgb(const std::uint8_t* row, int width, std::uint8_t* target) {
    for (int x = 0; x < width; ++x, row += 4) {
        const int key = row[3];
        for (int c = 0; c < 3; ++c) {
            const int product = (255 - row[c]) * key + 128;
            *target++ = static_cast<std::uint8_t>(std::clamp(key - (((product >> 8) + product) >> 8), 0, 255));
        }
    }
}

}  // namespace

Decoded decodeJpeg(const Source& source) {
    Decoder decoder;
    const auto fail = [&] { failDamaged(source, "JPEG", decoder.failure.message); };
    if (!readHeader(decoder, source.bytes)) fail();
    const int channels = decoder.info.num_components;
    if (channels != 1 && channels != 3 && channels != 4) {
        failDamaged(source, "JPEG", std::to_string(channels) + " colour channels");
    }
    const int width = static_cast<int>(decoder.info.image_width);
    const int height = static_cast<int>(decoder.info.image_height);
    checkSize(source, width, height);
    if (jpeg_has_multiple_scans(&decoder.info) && coefficientBytes(decoder) + 3LL * width * height > kMaxBytes) {
        failDamaged(source, "JPEG", "a progressive picture that takes too much memory to decode");
    }
    if (!start(decoder)) fail();
    Decoded result{Pixels(width, height), orientationOf(decoder)};
    std::vector<std::uint8_t> row(channels == 3 ? 0 : static_cast<std::size_t>(width) * static_cast<std::size_t>(channels));
    for (int y = 0; y < height; ++y) {
        std::uint8_t* target = result.pixels.at(0, y);
        if (!readRow(decoder, channels == 3 ? target : row.data())) fail();
        if (decoder.failure.cutOff) failDamaged(source, "JPEG", "the end of the file in the middle of the picture");
        if (channels == 1) {
            for (int x = 0; x < width; ++x, target += 3) std::fill_n(target, 3, row[static_cast<std::size_t>(x)]);
        } else if (channels == 4) {
            invertedCmykToRgb(row.data(), width, target);
        }
    }
    return result;
}

}  // namespace fovea::viz
