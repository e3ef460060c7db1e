#include "views/beside_pane.h"

#include <QLabel>
#include <QToolButton>
#include <QVBoxLayout>

#include "forms/described.h"
#include "theme/theme.h"
#include "views/view_page.h"

namespace fovea::gui {

BesidePane::BesidePane(QWidget* parent) : QWidget(parent), m_column(new QVBoxLayout(this)), m_title(new QLabel(this)) {
    m_column->setContentsMargins(0, 0, 0, 0);
    m_column->setSpacing(0);
    auto* row = new QHBoxLayout;
    row->setContentsMargins(10, 2, 6, 2);
    row->setSpacing(2);
    m_title->setProperty("role", "heading");
    row->addWidget(m_title, 1);
    const auto add = [&](const char* icon, const QString& name, const QString& tip, auto signal) {
        auto* button = new QToolButton(this);
        button->setIcon(themedIcon(icon));
        button->setAutoRaise(true);
        button->setFocusPolicy(Qt::TabFocus);
        row->addWidget(described(button, name, tip));
        connect(button, &QToolButton::clicked, this, signal);
    };
    add("compare", tr("To the front"),
        tr("Exchanges this view with the one in front, which panels, legend and export are about"),
        &BesidePane::frontWanted);
    add("close", tr("Close"), tr("Puts this view back among the tabs"), &BesidePane::closeWanted);
    m_column->addLayout(row);
    hide();
}

void BesidePane::setPage(ViewPage* page) {
    if (m_page) m_column->removeWidget(m_page);
    m_page = page;
    setVisible(page != nullptr);
    if (!page) return;
    m_title->setText(page->kind().title);
    m_title->setToolTip(page->kind().tip);
    m_column->addWidget(page, 1);
    page->show();
}

}  // namespace fovea::gui
