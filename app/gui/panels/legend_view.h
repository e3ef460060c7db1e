#pragma once

#include <QImage>
#include <QString>
#include <QStringList>
#include <QWidget>
#include <memory>
#include <vector>

#include "fovea/viz/picture.h"

namespace fovea::gui {

/// The colour bar of the picture that is shown, lying down and large enough to read; taken from the picture's
/// own "legend" layer, so that both say the same. Hidden for pictures without a colour bar.
class LegendView : public QWidget {
    Q_OBJECT

public:
    explicit LegendView(QWidget* parent = nullptr);
    void setPicture(const std::shared_ptr<const viz::Picture>& picture);
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return {120, sizeHint().height()}; }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    struct Tick {
        double at;  ///< 0 at the low end, 1 at the high end
        QString text;
    };
    void read(const viz::Layer& legend);

    QImage m_colors;  // one row, low to high
    std::vector<Tick> m_ticks;
    QStringList m_caption;
};

}  // namespace fovea::gui
