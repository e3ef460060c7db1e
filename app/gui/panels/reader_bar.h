#pragma once

#include <QImage>
#include <QWidget>
#include <vector>

#include "compute/box_query.h"
#include "fovea/viz/picture.h"

class QLabel;
class QToolButton;

namespace fovea::gui {

/// What the colours of words stand for while a box of the picture is asked about, with a button that takes the box away.
class ReaderBar : public QWidget {
    Q_OBJECT

public:
    explicit ReaderBar(QWidget* parent = nullptr);
    /// Nothing hides the bar.
    void setQuery(const std::optional<BoxQuery>& query, bool several);
    /// Colours from the low to the high end.
    void setColors(const std::vector<viz::Color>& samples);
    /// The largest mass that a word has on the box; 0: not known yet.
    void setLargest(double largest);
    /// The colour of a mass; invalid where nothing is known.
    QColor colorOf(double mass) const;

Q_SIGNALS:
    void removed();

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    void showText();

    QString m_text;
    QLabel *m_what, *m_low, *m_bar, *m_high;
    QToolButton* m_remove;
    std::vector<viz::Color> m_samples;
    double m_largest = 0;
};

}  // namespace fovea::gui
