#pragma once

#include <QColor>
#include <QWidget>
#include <vector>

namespace fovea::gui {

/// A token as a flow shows it.
struct FlowItem {
    QString text, tip;
    int token = -1;           ///< index in its stage; -1: cannot be chosen
    double level = -1;        ///< 0..1: length of the bar below it; negative: none
    bool quiet = false;       ///< special tokens, pictures
    bool spaced = false;      ///< stands apart from what is before it
    bool different = false;   ///< not so in the other answer
    QColor heat = {};         ///< behind the text; invalid: none

    bool operator==(const FlowItem&) const = default;
};

/// Tokens in reading order, broken into lines; a click, or arrow keys and Enter, chooses one.
class TokenFlow : public QWidget {
    Q_OBJECT

public:
    /// Pixels above the text of the first line, for labels beside it.
    static constexpr int textTop = 3;

    explicit TokenFlow(QWidget* parent = nullptr);
    void setItems(std::vector<FlowItem> items);
    const std::vector<FlowItem>& items() const { return m_items; }
    /// Marks the item of this token as the one that is looked from; -1: none.
    void setChosen(int token);
    int chosen() const { return m_chosen; }
    /// Where an item stands, in the widget's pixels.
    QRect placeOf(int item) const;

    bool hasHeightForWidth() const override { return true; }
    int heightForWidth(int width) const override;
    int lineHeight() const;
    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return {80, lineHeight()}; }

Q_SIGNALS:
    void tokenChosen(int token);

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void leaveEvent(QEvent* event) override;
    bool event(QEvent* event) override;

private:
    std::vector<QRect> layOut(int width) const;
    void drawItem(QPainter& painter, const FlowItem& item, const QRect& place, bool hovered) const;
    int itemAt(const QPoint& place) const;
    void choose(int item);
    void step(int by);
    void hover(int item);

    std::vector<FlowItem> m_items;
    int m_chosen = -1, m_hover = -1;
};

}  // namespace fovea::gui
