#include "graphics.h"

#include <fmt/format.h>

#include <QBuffer>
#include <QGuiApplication>
#include <QHashFunctions>
#include <QPageSize>
#include <QPainter>
#include <QPdfWriter>
#include <cmath>
#include <string>

#include "fovea/error.h"
#include "fovea/viz/export.h"
#include "fovea/viz/qt_draw.h"
#include "picture/metadata.h"

namespace fovea::viz {
namespace {

constexpr double unitsPerInch = 96;
constexpr double maximumPixels = 400e6;
constexpr int maximumSide = 32767;  // QPainter's raster engine
constexpr double minimumDpi = 10, maximumDpi = 1200;
constexpr double pdfDpi = 1200;

/// The date of every file, so that equal pictures give equal bytes; the real date is the file system's
/// business.
constexpr const char* fixedPdfDate = "20000101000000";

void fixDate(std::string& pdf) {
    for (const std::string key : {"/CreationDate (D:", "/ModDate (D:"})
        for (std::size_t at = pdf.find(key); at != std::string::npos; at = pdf.find(key, at + 1)) {
            std::size_t from = at + key.size();
            const std::size_t end = pdf.find(')', from);
            if (end == std::string::npos) return;
            for (const char* digit = fixedPdfDate; from < end; ++from)
                if (pdf[from] >= '0' && pdf[from] <= '9') pdf[from] = *digit ? *digit++ : '0';
        }
}

}  // namespace

void ensureGraphics() {
    if (QCoreApplication::instance()) {
        if (!qobject_cast<QGuiApplication*>(QCoreApplication::instance()))
            throw Error("pictures need a graphics application, and the program has made one without graphics",
                        {}, ErrorCode::Internal);
        return;
    }
    static int count = 3;
    static char name[] = "fovea", flag[] = "-platform", platform[] = "offscreen";
    static char* arguments[] = {name, flag, platform, nullptr};
    // Servers often have no XDG_RUNTIME_DIR; nothing here needs it, so its absence is not worth a warning.
    static QtMessageHandler handler;
    handler =
        qInstallMessageHandler([](QtMsgType type, const QMessageLogContext& context, const QString& text) {
            if (!text.startsWith(QLatin1String("QStandardPaths: XDG_RUNTIME_DIR")) && handler)
                handler(type, context, text);
        });
    // Fonts are written into a PDF in the order of a hash table.
    QHashSeed::setDeterministicGlobalSeed();
    // Never deleted: Qt must not be torn down after main() by a static destructor.
    new QGuiApplication(count, arguments);
    qInstallMessageHandler(handler);
}

QImage renderImage(const Picture& picture, double dpi) {
    if (!(dpi >= minimumDpi && dpi <= maximumDpi))
        throw Error(fmt::format("dpi {}: expected {} to {}", dpi, minimumDpi, maximumDpi), {},
                    ErrorCode::Usage);
    const double width = std::ceil(picture.width * dpi / unitsPerInch);
    const double height = std::ceil(picture.height * dpi / unitsPerInch);
    if (!(width >= 1 && height >= 1)) throw Error("the picture is empty", {}, ErrorCode::Internal);
    if (width > maximumSide || height > maximumSide || width * height > maximumPixels)
        throw Error(fmt::format("a picture of {} x {} pixels is too large", width, height),
                    fmt::format("ask for fewer dots per inch than {}, or for SVG or PDF", dpi),
                    ErrorCode::Memory);
    ensureGraphics();
    QImage image(static_cast<int>(width), static_cast<int>(height), QImage::Format_ARGB32_Premultiplied);
    if (image.isNull())
        throw Error(fmt::format("no memory for {} x {} pixels", width, height), {}, ErrorCode::Memory);
    image.fill(Qt::transparent);
    QPainter painter(&image);
    painter.scale(width / picture.width, height / picture.height);
    draw(painter, picture);
    painter.end();
    const int dotsPerMeter = static_cast<int>(std::lround(dpi / 0.0254));
    image.setDotsPerMeterX(dotsPerMeter);
    image.setDotsPerMeterY(dotsPerMeter);
    return image;
}

std::string encodePdf(const Picture& picture, bool metadata) {
    ensureGraphics();
    QByteArray bytes;
    QBuffer buffer(&bytes);
    buffer.open(QIODevice::WriteOnly);
    QPdfWriter writer(&buffer);
    writer.setResolution(static_cast<int>(pdfDpi));
    const QSizeF points(picture.width * 72 / unitsPerInch, picture.height * 72 / unitsPerInch);
    writer.setPageSize(QPageSize(points, QPageSize::Point, QString(), QPageSize::ExactMatch));
    writer.setPageMargins(QMarginsF(0, 0, 0, 0));
    writer.setCreator(QStringLiteral("Fovea"));
    writer.setTitle(QString::fromStdString(picture.title));
    if (metadata) {
        const std::string xmp = xmpPacket(picture);
        writer.setDocumentXmpMetadata(QByteArray(xmp.data(), static_cast<qsizetype>(xmp.size())));
    }
    QPainter painter(&writer);
    painter.scale(pdfDpi / unitsPerInch, pdfDpi / unitsPerInch);
    draw(painter, picture);
    painter.end();
    std::string pdf = bytes.toStdString();
    fixDate(pdf);
    return pdf;
}

}  // namespace fovea::viz
