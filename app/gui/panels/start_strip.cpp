#include "panels/start_strip.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QToolButton>
#include <QVBoxLayout>
#include <algorithm>

#include "forms/described.h"
#include "theme/theme.h"

namespace fovea::gui {

StartStrip::StartStrip(QWidget* parent) : QFrame(parent) {
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(10, 8, 6, 8);
    row->setSpacing(8);
    QPushButton* sees = card("live", tr("Demo: ViT"), tr("A vision transformer on a scene: heat, heads, sinks, edits"));
    QPushButton* answers = card("copy_command", tr("Demo: VLM"), tr("Ask a vision-language model: where each word looks"));
    QPushButton* own = card("open_model", tr("Your model"), tr("A Hugging Face folder, a checkpoint, a trace"));
    sees->setObjectName("start_vit");
    answers->setObjectName("start_vlm");
    own->setObjectName("start_model");
    connect(sees, &QPushButton::clicked, this, [this] { Q_EMIT demoWanted("demo:vit"); });
    connect(answers, &QPushButton::clicked, this, [this] { Q_EMIT demoWanted("demo:vlm"); });
    connect(own, &QPushButton::clicked, this, &StartStrip::modelWanted);
    for (QPushButton* button : {sees, answers, own}) row->addWidget(button, 1);
    auto* close = new QToolButton(this);
    close->setIcon(themedIcon("close"));
    close->setAutoRaise(true);
    close->setFocusPolicy(Qt::TabFocus);
    described(close, tr("Close"), tr("The demos are in the Model menu, too"));
    connect(close, &QToolButton::clicked, this, &QWidget::hide);
    row->addWidget(close, 0, Qt::AlignTop);
    hide();
}

QPushButton* StartStrip::card(const QString& icon, const QString& title, const QString& shows) {
    auto* button = new QPushButton(this);
    button->setAutoDefault(false);
    described(button, title, shows);
    auto* inside = new QHBoxLayout(button);
    inside->setContentsMargins(10, 4, 8, 4);
    inside->setSpacing(10);
    auto* picture = new QLabel(button);
    const int side = 3 * fontMetrics().height() / 2;
    picture->setPixmap(themedIcon(icon).pixmap(side, side));
    auto* words = new QVBoxLayout;
    words->setSpacing(1);
    auto* name = new QLabel(title, button);
    name->setProperty("role", "heading");
    auto* what = new QLabel(shows, button);
    what->setProperty("role", "quiet");
    what->setWordWrap(true);
    words->addWidget(name);
    words->addWidget(what);
    inside->addWidget(picture);
    inside->addLayout(words, 1);
    for (QLabel* label : {picture, name, what}) label->setAttribute(Qt::WA_TransparentForMouseEvents);
    return button;
}

void StartStrip::fitCards() {
    int highest = 0;
    const auto cards = findChildren<QPushButton*>();
    for (const QPushButton* card : cards) highest = std::max(highest, card->layout()->totalHeightForWidth(card->width()));
    for (QPushButton* card : cards) card->setMinimumHeight(highest);
}

void StartStrip::resizeEvent(QResizeEvent* event) {
    QFrame::resizeEvent(event);
    layout()->activate();
    fitCards();
}

}  // namespace fovea::gui
