// WebP through libwebp: stills, and the first frame of animations on their black canvas.
#include <memory>
#include <string_view>

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
    Decoded result{Pixels(width, height), orientationOf(demuxer.get())};
    const std::size_t stride = 3 * static_cast<std::size_t>(width);
    const std::size_t offset = static_cast<std::size_t>(frame.y_offset) * stride + 3 * static_cast<std::size_t>(frame.x_offset);
    if (!WebPDecodeRGBInto(frame.fragment.bytes, frame.fragment.size, result.pixels.rgb.data() + offset,
                           result.pixels.rgb.size() - offset, static_cast<int>(stride))) {
        failDamaged(source, "WebP", "picture data that libwebp refuses");
    }
    return result;
}

}  // namespace fovea::viz
