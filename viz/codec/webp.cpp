// WebP through libwebp: stills, and the first frame of animations on their black canvas.
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include <webp/decode.h>
#include <webp/demux.h>

#include "codec.h"
#include "orientation.h"

namespace fovea::viz {
namespace {

struct DemuxerDeleter {
    void operator()(WebPDemuxer* demuxer) const { WebPDemuxDelete(demuxer); }
};

Bytes chunk(const WebPDemuxer* demuxer, const char* name, WebPChunkIterator& iterator) {
    if (!WebPDemuxGetChunk(demuxer, name, 1, &iterator)) return {};
    return {iterator.chunk.bytes, iterator.chunk.size};
}

int orientationOf(const WebPDemuxer* demuxer) {
    WebPChunkIterator exif{};
    WebPChunkIterator xmp{};
    auto found = exifOrientation(chunk(demuxer, "EXIF", exif));
    const Bytes packet = chunk(demuxer, "XMP ", xmp);
    if (!found) found = xmpOrientation({reinterpret_cast<const char*>(packet.data()), packet.size()});
    WebPDemuxReleaseChunkIterator(&exif);
    WebPDemuxReleaseChunkIterator(&xmp);
    return found.value_or(1);
}

}  // namespace

Decoded decodeWebp(const Source& source) {
    WebPBitstreamFeatures features{};
    if (WebPGetFeatures(source.bytes.data(), source.bytes.size(), &features) != VP8_STATUS_OK) {
        failDamaged(source, "WebP", "a header that libwebp refuses");
    }
    checkSize(source, features.width, features.height, 7);  // three bytes of result, four of libwebp's own
    const WebPData data{source.bytes.data(), source.bytes.size()};
    const std::unique_ptr<WebPDemuxer, DemuxerDeleter> demuxer(WebPDemux(&data));
    if (!demuxer) failDamaged(source, "WebP", "chunks that do not add up");
    const int width = static_cast<int>(WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_WIDTH));
    const int height = static_cast<int>(WebPDemuxGetI(demuxer.get(), WEBP_FF_CANVAS_HEIGHT));
    checkSize(source, width, height, 7);

    WebPIterator frame{};
    if (!WebPDemuxGetFrame(demuxer.get(), 1, &frame)) failDamaged(source, "WebP", "no frame");
    const std::unique_ptr<WebPIterator, void (*)(WebPIterator*)> release(&frame, WebPDemuxReleaseIterator);
    if (frame.x_offset < 0 || frame.y_offset < 0 || frame.width < 1 || frame.height < 1 ||
        frame.width > width - frame.x_offset || frame.height > height - frame.y_offset) {
        failDamaged(source, "WebP", "a frame outside the canvas");
    }
    const bool hasAlpha = (WebPDemuxGetI(demuxer.get(), WEBP_FF_FORMAT_FLAGS) & ALPHA_FLAG) != 0;
    const std::size_t bytes = hasAlpha ? 4 : 3;
    if (hasAlpha) checkSize(source, width, height, 8);
    Decoded result{hasAlpha ? Pixels() : Pixels(width, height), orientationOf(demuxer.get())};
    std::vector<std::uint8_t> rgba(hasAlpha ? bytes * static_cast<std::size_t>(width) * static_cast<std::size_t>(height) : 0);
    std::vector<std::uint8_t>& target = hasAlpha ? rgba : result.pixels.rgb;
    const std::size_t stride = bytes * static_cast<std::size_t>(width);
    const std::size_t offset = static_cast<std::size_t>(frame.y_offset) * stride + bytes * static_cast<std::size_t>(frame.x_offset);
    const auto decodeInto = hasAlpha ? WebPDecodeRGBAInto : WebPDecodeRGBInto;
    if (!decodeInto(frame.fragment.bytes, frame.fragment.size, target.data() + offset, target.size() - offset,
                    static_cast<int>(stride))) {
        failDamaged(source, "WebP", "picture data that libwebp refuses");
    }
    if (hasAlpha) result.pixels = splitAlpha(width, height, std::move(rgba));
    return result;
}

}  // namespace fovea::viz
