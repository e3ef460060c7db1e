#pragma once

#include <QIconEngine>
#include <QString>

namespace fovea::gui {

/// Paints one of our one-colour SVG icons in the application palette's colours, sharp at any pixel ratio.
class IconEngine : public QIconEngine {
public:
    explicit IconEngine(QString name);
    void paint(QPainter* painter, const QRect& rect, QIcon::Mode mode, QIcon::State state) override;
    QPixmap pixmap(const QSize& size, QIcon::Mode mode, QIcon::State state) override;
    QIconEngine* clone() const override;

private:
    QString m_name;
};

}  // namespace fovea::gui
