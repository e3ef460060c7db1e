#include "panels/error_banner.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QToolButton>

#include "forms/described.h"
#include "models/window_hint.h"
#include "theme/theme.h"

namespace fovea::gui {

ErrorBanner::ErrorBanner(QWidget* parent)
    : QFrame(parent), m_title(new QLabel(this)), m_detail(new QLabel(this)), m_hint(new QLabel(this)) {
    setObjectName("banner");
    setStyleSheet(
        "#banner { background: #fdecea; border: 1px solid #e0a39c; } #banner QLabel { color: #5c1a14; "
        "background: transparent; }");
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(12, 8, 8, 8);
    row->setSpacing(12);
    auto* words = new QVBoxLayout;
    words->setSpacing(2);
    m_title->setProperty("role", "heading");
    for (QLabel* label : {m_title, m_detail, m_hint}) {
        label->setWordWrap(true);
        label->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
        label->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
        words->addWidget(label);
    }
    row->addLayout(words, 1);
    auto* close = new QToolButton(this);
    close->setText(tr("Dismiss"));
    close->setFocusPolicy(Qt::TabFocus);
    close->setStyleSheet(
        "QToolButton { color: #5c1a14; background: transparent; border: 1px solid #c98a82; border-radius: "
        "3px; padding: 3px 8px; }"
        "QToolButton:hover, QToolButton:focus { background: #f8d5d0; }");
    described(close, tr("Dismiss the message"), tr("Hides this message"));
    row->addWidget(close, 0, Qt::AlignTop);
    connect(close, &QToolButton::clicked, this, &QWidget::hide);
    hide();
}

void ErrorBanner::showFailure(const Failure& failure) {
    m_title->setText(failure.title);
    m_detail->setText(failure.detail);
    const QString hint = QString::fromStdString(windowHint(failure.hint.toStdString()));
    m_hint->setText(hint);
    m_hint->setVisible(!hint.isEmpty());
    setAccessibleName(text());
    show();
}

QString ErrorBanner::text() const {
    return QStringList{m_title->text(), m_detail->text(), m_hint->text()}.join("\n");
}

}  // namespace fovea::gui
