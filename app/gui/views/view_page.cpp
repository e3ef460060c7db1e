#include "views/view_page.h"

#include <QBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QStackedLayout>
#include <QToolButton>
#include <algorithm>

#include "forms/described.h"
#include "theme/theme.h"
#include "views/picture_view.h"
#include "views/read_out.h"

namespace fovea::gui {

namespace {

constexpr const char* sideNames[] = {QT_TRANSLATE_NOOP("ViewPage", "A"), QT_TRANSLATE_NOOP("ViewPage", "B"),
                                     QT_TRANSLATE_NOOP("ViewPage", "B - A")};

}  // namespace

ViewPage::ViewPage(const ViewKind& kind, QWidget* parent)
    : QWidget(parent),
      m_kind(kind),
      m_stack(new QStackedLayout(this)),
      m_message(new QLabel(this)),
      m_offer(new QPushButton(this)) {
    auto* panes = new QWidget(this);
    auto* row = new QHBoxLayout(panes);
    row->setContentsMargins(0, 0, 0, 0);
    row->setSpacing(1);
    for (std::size_t side = 0; side < m_views.size(); ++side) buildPane(side, row);

    auto* empty = new QWidget(this);
    auto* column = new QVBoxLayout(empty);
    m_message->setWordWrap(true);
    m_message->setAlignment(Qt::AlignCenter);
    m_message->setProperty("role", "quiet");
    m_offer->hide();
    m_offer->setAutoDefault(false);
    described(m_offer, tr("Show a fitting analysis"), tr("Chooses an analysis that this view can draw"));
    column->addStretch(1);
    column->addWidget(m_message);
    column->addWidget(m_offer, 0, Qt::AlignHCenter);
    column->addStretch(1);
    m_stack->addWidget(panes);
    m_stack->addWidget(empty);
    connect(m_offer, &QPushButton::clicked, this,
            [this] { Q_EMIT suggestionTaken(QString::fromStdString(m_kind.suggestion)); });
    setComparing(false);
    setMessage(tr("Open a model and a picture."));
}

void ViewPage::buildPane(std::size_t side, QBoxLayout* row) {
    auto* pane = new QWidget(this);
    auto* column = new QVBoxLayout(pane);
    column->setContentsMargins(0, 0, 0, 0);
    column->setSpacing(0);
    m_heads[side] = buildHead(side, pane);
    m_views[side] = new PictureView(pane);
    described(m_views[side], side == 0 ? m_kind.title : tr("%1, %2").arg(m_kind.title, tr(sideNames[side])),
              m_kind.tip + "\n" +
                  tr("Wheel: zoom, right drag: move, double click: fit, arrows and Enter: choose by key\n"
                     "Drag over the picture of a model that answers: which words read that box (Shift with arrows moves "
                     "it, with Ctrl resizes it, Delete takes it away)\nElse, or with Shift, drag: choose tokens"));
    column->addWidget(m_heads[side]);
    column->addWidget(m_views[side], 1);
    row->addWidget(pane, 1);
    m_panes[side] = pane;
    connect(m_views[side], &PictureView::hovered, this, [this, side](int hit) { hover(side, hit); });
    connect(m_views[side], &PictureView::moved, this, [this, side] { link(side); });
    connect(m_views[side], &PictureView::tokenChosen, this, &ViewPage::tokenChosen);
    connect(m_views[side], &PictureView::tokensChosen, this, &ViewPage::tokensChosen);
    connect(m_views[side], &PictureView::boxChosen, this, &ViewPage::boxChosen);
    connect(m_views[side], &PictureView::boxRemoved, this, &ViewPage::boxRemoved);
}

QWidget* ViewPage::buildHead(std::size_t side, QWidget* pane) {
    auto* head = new QWidget(pane);
    auto* row = new QHBoxLayout(head);
    row->setContentsMargins(10, 2, 6, 2);
    row->setSpacing(2);
    m_captions[side] = new QLabel(tr(sideNames[side]), head);
    m_captions[side]->setProperty("role", "heading");
    m_captions[side]->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    row->addWidget(m_captions[side], 1);
    const auto add = [&](const char* icon, const QString& name, const QString& tip) {
        auto* button = new QToolButton(head);
        button->setIcon(themedIcon(icon));
        button->setAutoRaise(true);
        button->setFocusPolicy(Qt::TabFocus);
        described(button, name, tip);
        row->addWidget(button);
        return button;
    };
    const QString name = tr(sideNames[side]);
    connect(add("export", tr("Export %1").arg(name), tr("Writes this picture to a PNG, SVG or PDF file")),
            &QToolButton::clicked, this, [this, side] { Q_EMIT exportWanted(static_cast<Side>(side)); });
    connect(add("copy", tr("Copy %1").arg(name), tr("Copies this picture as PNG")), &QToolButton::clicked, this,
            [this, side] { Q_EMIT copyWanted(static_cast<Side>(side)); });
    return head;
}

void ViewPage::setPicture(Side side, std::shared_ptr<const viz::Picture> picture) {
    view(side).setPicture(std::move(picture));
    if (side == Side::A) m_stack->setCurrentIndex(0);
}

void ViewPage::setMessage(const QString& message, const QString& offer) {
    m_message->setText(message);
    m_offer->setText(offer);
    m_offer->setVisible(!offer.isEmpty());
    m_stack->setCurrentIndex(1);
}

void ViewPage::setComparing(bool on) {
    const bool both = on && m_kind.id != "input";
    for (std::size_t side = 1; side < m_panes.size(); ++side) {
        m_panes[side]->setVisible(both);
        if (!both) m_views[side]->setPicture(nullptr);
    }
    m_heads[0]->setVisible(both);
}

void ViewPage::setCaption(Side side, const QString& text) {
    const auto at = static_cast<std::size_t>(side);
    m_captions[at]->setText(text.isEmpty() ? tr(sideNames[at]) : tr(sideNames[at]) + ":  " + text);
}

void ViewPage::setTokens(std::shared_ptr<const TokenMap> tokens) {
    m_tokens = std::move(tokens);
}

void ViewPage::setSelectedTokens(const std::string& stage, const std::set<int>& tokens) {
    for (PictureView* view : m_views) view->setSelectedTokens(stage, tokens);
}

void ViewPage::setAsksBoxes(bool on) {
    for (PictureView* view : m_views) view->setAsksBoxes(on);
}

void ViewPage::setBoxQuery(Side side, const std::optional<BoxQuery>& query) {
    view(side).setBoxQuery(query);
    if (side == Side::B) view(Side::Difference).setBoxQuery(query);
}

void ViewPage::linkToken(const std::string& stage, int token) {
    for (PictureView* view : m_views) view->linkToken(stage, token);
}

void ViewPage::fit() {
    for (PictureView* view : m_views) view->fit();
}

void ViewPage::zoomBy(double factor) {
    m_views[0]->zoomBy(factor);
}

bool ViewPage::hasPicture() const {
    return m_views[0]->picture() != nullptr && m_stack->currentIndex() == 0;
}

bool ViewPage::settled() const {
    return std::all_of(m_views.begin(), m_views.end(), [](const PictureView* v) { return v->settled(); });
}

void ViewPage::hover(std::size_t side, int hit) {
    const auto& picture = m_views[side]->picture();
    const bool any = picture && hit >= 0;
    const std::string stage = any ? picture->hits[static_cast<std::size_t>(hit)].stage : "";
    const int token = any ? picture->hits[static_cast<std::size_t>(hit)].token : -1;
    for (PictureView* other : m_views)
        if (other != m_views[side]) other->linkToken(stage, token);
    Q_EMIT tokenHovered(stage, token);
    const QString text = any ? readOut(*picture, hit, m_tokens.get()) : QString();
    m_views[side]->setAccessibleDescription(any       ? text
                                            : picture ? QString::fromStdString(picture->title)
                                                      : QString());
    Q_EMIT readOutChanged(text);
}

void ViewPage::link(std::size_t side) {
    if (m_linking) return;
    m_linking = true;
    for (PictureView* view : m_views)
        if (view != m_views[side] && view->isVisible()) view->follow(*m_views[side]);
    m_linking = false;
}

}  // namespace fovea::gui
