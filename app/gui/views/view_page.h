#pragma once

#include <QWidget>
#include <array>
#include <set>

#include "compute/compute_service.h"
#include "compute/box_query.h"
#include "views/view_kinds.h"

class QBoxLayout;
class QLabel;
class QPushButton;
class QStackedLayout;

namespace fovea::gui {

class PictureView;

/// One tab: the picture of A, and while comparing those of B and of the difference beside it with linked
/// cursors; or a sentence that says why there is nothing to see.
class ViewPage : public QWidget {
    Q_OBJECT

public:
    ViewPage(const ViewKind& kind, QWidget* parent = nullptr);
    const ViewKind& kind() const { return m_kind; }
    void setPicture(Side side, std::shared_ptr<const viz::Picture> picture);
    /// Shows `message`, and a button for an analysis that this view can draw when `offer` is not empty.
    void setMessage(const QString& message, const QString& offer = {});
    void setComparing(bool on);
    /// What stands above a side while comparing, after its letter.
    void setCaption(Side side, const QString& text);
    void setTokens(std::shared_ptr<const TokenMap> tokens);
    void setSelectedTokens(const std::string& stage, const std::set<int>& tokens);
    /// Whether drags over an original ask about boxes, and the box that a side asks about.
    void setAsksBoxes(bool on);
    void setBoxQuery(Side side, const std::optional<BoxQuery>& query);
    /// Lights the area of a token up, or none with -1, as another view does under the pointer.
    void linkToken(const std::string& stage, int token);
    void fit();
    void zoomBy(double factor);
    PictureView& view(Side side) { return *m_views[static_cast<std::size_t>(side)]; }
    bool hasPicture() const;
    bool settled() const;

Q_SIGNALS:
    void readOutChanged(const QString& text);
    /// The token under the pointer; -1: none.
    void tokenHovered(const std::string& stage, int token);
    void tokenChosen(const QString& stage, int token);
    void tokensChosen(const QString& stage, const std::set<int>& tokens);
    void boxChosen(const fovea::gui::BoxQuery& query);
    void boxRemoved();
    void suggestionTaken(const QString& analysis);
    /// The buttons above a side, while comparing.
    void exportWanted(fovea::gui::Side side);
    void copyWanted(fovea::gui::Side side);

private:
    void buildPane(std::size_t side, QBoxLayout* row);
    QWidget* buildHead(std::size_t side, QWidget* pane);
    void hover(std::size_t side, int hit);
    void link(std::size_t side);

    ViewKind m_kind;
    std::array<PictureView*, 3> m_views{};
    std::array<QWidget*, 3> m_panes{};
    std::array<QWidget*, 3> m_heads{};  ///< caption and buttons
    std::array<QLabel*, 3> m_captions{};
    QStackedLayout* m_stack;
    QLabel* m_message;
    QPushButton* m_offer;
    std::shared_ptr<const TokenMap> m_tokens;
    bool m_linking = false;
};

}  // namespace fovea::gui
