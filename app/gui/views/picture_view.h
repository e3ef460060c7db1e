#pragma once

#include <QImage>
#include <QWidget>
#include <memory>
#include <set>

#include "fovea/viz/picture.h"
#include "views/box_tool.h"
#include "views/picture_raster.h"

namespace fovea::gui {

/// Shows a Picture: wheel or +/- zooms, middle or right drag pans, 0 fits; hovering and arrow keys read
/// tokens out, a click or Enter chooses a token. Dragging asks about a box of the picture where that is offered (Shift with
/// arrows moves it, with Ctrl resizes it, Delete takes it away), else, or with Shift, it chooses the tokens in the box.
class PictureView : public QWidget {
    Q_OBJECT

public:
    explicit PictureView(QWidget* parent = nullptr);
    void setPicture(std::shared_ptr<const viz::Picture> picture);
    const std::shared_ptr<const viz::Picture>& picture() const { return m_picture; }
    /// What stands in the place of a picture.
    void setMessage(const QString& text);
    const QString& message() const { return m_message; }
    /// Outlines tokens of a stage.
    void setSelectedTokens(const std::string& stage, const std::set<int>& tokens);
    /// Whether a drag over an original asks about a box of its pixels.
    void setAsksBoxes(bool on);
    /// The box that is asked about.
    void setBoxQuery(const std::optional<BoxQuery>& query);
    const BoxTool& box() const { return m_box; }
    /// Lights a token up as if it were hovered, without announcing it.
    void linkToken(const std::string& stage, int token);
    void fit();
    void zoomBy(double factor, const QPointF& around);
    void zoomBy(double factor) { zoomBy(factor, QPointF(width() / 2.0, height() / 2.0)); }
    /// Picture units to logical pixels of the widget.
    QTransform transform() const;
    /// Copies zoom and place of another view.
    void follow(const PictureView& other);
    bool settled() const { return !m_raster.busy(); }

    QSize sizeHint() const override { return {640, 480}; }
    QSize minimumSizeHint() const override { return {160, 120}; }

Q_SIGNALS:
    /// The hit area under the pointer or keyboard cursor, an index into Picture::hits, or -1.
    void hovered(int hit);
    void tokenChosen(const QString& stage, int token);
    void tokensChosen(const QString& stage, const std::set<int>& tokens);
    void boxChosen(const fovea::gui::BoxQuery& query);
    void boxRemoved();
    void moved();

protected:
    void paintEvent(QPaintEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void leaveEvent(QEvent* event) override;

private:
    void redraw();
    void setHover(int hit);
    void choose(int hit);
    void chooseTokensIn(const QRectF& area);
    void stepBox(int dx, int dy, bool resizes);
    void showCursor(const QPointF& at);
    void drawMarks(QPainter& painter) const;
    void place();

    std::shared_ptr<const viz::Picture> m_picture;
    PictureRaster m_raster;
    QString m_message;
    QImage m_image;
    QTransform m_imageTransform;
    double m_zoom = 1;
    QPointF m_offset;
    bool m_fitted = true;
    int m_hover = -1;
    std::string m_selectedStage;
    std::set<int> m_selected;
    QPointF m_press, m_last;
    BoxTool m_box;
    bool m_panning = false, m_boxing = false, m_asksBoxes = false;
};

}  // namespace fovea::gui
