#include "views/picture_raster.h"

#include <QCoreApplication>
#include <QPainter>
#include <QThreadPool>

#include "fovea/viz/qt_draw.h"

namespace fovea::gui {

namespace {

QImage drawn(const RasterRequest& request) {
    QImage image(request.size * request.ratio, QImage::Format_ARGB32_Premultiplied);
    image.fill(Qt::transparent);
    if (image.isNull()) return image;
    QPainter painter(&image);
    painter.setRenderHints(QPainter::Antialiasing | QPainter::TextAntialiasing);
    painter.scale(request.ratio, request.ratio);
    painter.setTransform(request.transform, true);
    viz::draw(painter, *request.picture);
    painter.end();
    image.setDevicePixelRatio(request.ratio);
    return image;
}

}  // namespace

PictureRaster::~PictureRaster() {
    *m_alive = false;
}

void PictureRaster::request(const RasterRequest& request) {
    m_next = request;
    m_waiting = true;
    if (!m_drawing) start();
}

void PictureRaster::start() {
    m_waiting = false;
    m_drawing = true;
    QThreadPool::globalInstance()->start([this, alive = m_alive, request = m_next] {
        QImage image = drawn(request);
        // The receiver may be gone; the flag is read on the GUI thread only, where it is written.
        QMetaObject::invokeMethod(
            QCoreApplication::instance(),
            [this, alive, image, transform = request.transform] {
                if (!*alive) return;
                m_drawing = false;
                Q_EMIT ready(image, transform);
                if (m_waiting) start();
            },
            Qt::QueuedConnection);
    });
}

}  // namespace fovea::gui
