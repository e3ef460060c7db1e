#include "fovea/viz/export.h"

#include <fmt/format.h>

#include <QBuffer>
#include <algorithm>

#include "fovea/error.h"
#include "fovea/viz/picture_file.h"
#include "graphics.h"
#include "picture/metadata.h"

namespace fovea::viz {
namespace {

std::string encodePng(const Picture& picture, const ExportOptions& options) {
    const QImage image = renderImage(picture, options.dpi);
    QByteArray bytes;
    QBuffer buffer(&bytes);
    buffer.open(QIODevice::WriteOnly);
    // Without an alpha channel where there is nothing to see through: half the size, and every program opens
    // it.
    const bool opaque = picture.background.a == 255;
    if (!(opaque ? image.convertToFormat(QImage::Format_RGB888) : image).save(&buffer, "PNG"))
        throw Error("the PNG encoder failed", {}, ErrorCode::Internal);
    std::string png = bytes.toStdString();
    if (options.metadata) insertPngMetadata(png, picture);
    return png;
}

}  // namespace

FileFormat formatFromSuffix(const std::filesystem::path& file) {
    std::string suffix = file.extension().string();
    std::transform(suffix.begin(), suffix.end(), suffix.begin(),
                   [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
    if (suffix == ".png") return FileFormat::Png;
    if (suffix == ".svg") return FileFormat::Svg;
    if (suffix == ".pdf") return FileFormat::Pdf;
    const bool video = suffix == ".webm" || suffix == ".mp4" || suffix == ".gif";
    throw Error(
        suffix.empty() ? fmt::format("{}: expected a name that ends in .png, .svg or .pdf", file.string())
                       : fmt::format("{}: expected a name that ends in .png, .svg or .pdf, found \"{}\"",
                                     file.string(), suffix),
        video ? "write a numbered sequence of PNG files and join them with a video program"
              : "the ending of the name chooses the format",
        ErrorCode::Usage);
}

std::string encodePicture(const Picture& picture, FileFormat format, const ExportOptions& options) {
    switch (format) {
        case FileFormat::Png:
            return encodePng(picture, options);
        case FileFormat::Svg:
            return svgText(picture, options.metadata ? Metadata::Embed : Metadata::Omit);
        case FileFormat::Pdf:
            return encodePdf(picture, options.metadata);
    }
    throw Error("unknown picture format", {}, ErrorCode::Internal);
}

void exportPicture(const Picture& picture, const std::filesystem::path& file, const ExportOptions& options) {
    writePictureFile(file, encodePicture(picture, formatFromSuffix(file), options));
}

Pixels renderPixels(const Picture& picture, double dpi) {
    const QImage image = renderImage(picture, dpi).convertToFormat(QImage::Format_RGB888);
    Pixels pixels(image.width(), image.height());
    for (int y = 0; y < image.height(); ++y)
        std::copy_n(image.constScanLine(y), static_cast<std::size_t>(image.width()) * 3, pixels.at(0, y));
    return pixels;
}

}  // namespace fovea::viz
