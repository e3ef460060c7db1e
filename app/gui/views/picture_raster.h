#pragma once

#include <QImage>
#include <QObject>
#include <QTransform>
#include <memory>

#include "fovea/viz/picture.h"

namespace fovea::gui {

/// What part of a picture is wanted as pixels.
struct RasterRequest {
    std::shared_ptr<const viz::Picture> picture;
    QTransform transform;  ///< picture units to logical pixels of the view
    QSize size;            ///< of the view, logical pixels
    double ratio = 1;      ///< device pixels per logical pixel
};

/// Replays display lists into images on the thread pool, so that a large picture never holds up the window.
/// One is drawn at a time; of those that wait, only the newest counts.
class PictureRaster : public QObject {
    Q_OBJECT

public:
    using QObject::QObject;
    ~PictureRaster() override;
    void request(const RasterRequest& request);
    /// Whether the newest request is still being drawn.
    bool busy() const { return m_drawing; }

Q_SIGNALS:
    void ready(const QImage& image, const QTransform& transform);

private:
    void start();

    RasterRequest m_next;
    bool m_waiting = false;
    bool m_drawing = false;
    std::shared_ptr<bool> m_alive = std::make_shared<bool>(true);
};

}  // namespace fovea::gui
