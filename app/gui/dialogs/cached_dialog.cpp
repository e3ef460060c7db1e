#include "dialogs/cached_dialog.h"

#include <QCoreApplication>
#include <QDialogButtonBox>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QPointer>
#include <QPushButton>
#include <QSortFilterProxyModel>
#include <QTableView>
#include <QThreadPool>
#include <QVBoxLayout>

#include "forms/described.h"

namespace fovea::gui {

CachedDialog::CachedDialog(const std::filesystem::path& hubCache, QWidget* parent)
    : QDialog(parent),
      m_proxy(new QSortFilterProxyModel(this)),
      m_note(new QLabel(this)),
      m_filter(new QLineEdit(this)),
      m_table(new QTableView(this)),
      m_buttons(new QDialogButtonBox(QDialogButtonBox::Open | QDialogButtonBox::Cancel, this)) {
    setWindowTitle(tr("Models in the local Hugging Face cache"));
    m_note->setWordWrap(true);
    m_note->setText(tr("Reading %1 ...").arg(QString::fromStdString(hubCache.string())));
    m_filter->setPlaceholderText(tr("Filter by name or type"));
    m_filter->setClearButtonEnabled(true);
    described(m_filter, tr("Filter models"), tr("Shows only models whose name or type contains this"));
    m_proxy->setSourceModel(&m_models);
    m_proxy->setFilterKeyColumn(-1);
    m_proxy->setFilterCaseSensitivity(Qt::CaseInsensitive);
    m_table->setModel(m_proxy);
    m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
    m_table->setSelectionMode(QAbstractItemView::SingleSelection);
    m_table->setTabKeyNavigation(false);
    m_table->setShowGrid(false);
    m_table->verticalHeader()->hide();
    m_table->horizontalHeader()->setSectionResizeMode(QHeaderView::ResizeToContents);
    m_table->horizontalHeader()->setStretchLastSection(true);
    described(m_table, tr("Models"), tr("Complete models can be opened; nothing is downloaded"));
    for (QAbstractButton* button : m_buttons->buttons())
        described(button, button->text().remove('&'),
                  button == m_buttons->button(QDialogButtonBox::Open) ? tr("Opens the selected model")
                                                                      : tr("Closes without opening"));

    auto* layout = new QVBoxLayout(this);
    layout->addWidget(m_filter);
    layout->addWidget(m_table, 1);
    layout->addWidget(m_note);
    layout->addWidget(m_buttons);
    resize(760, 460);
    connect(m_filter, &QLineEdit::textChanged, m_proxy, &QSortFilterProxyModel::setFilterFixedString);
    connect(m_buttons, &QDialogButtonBox::accepted, this, &QDialog::accept);
    connect(m_buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    connect(m_table, &QTableView::doubleClicked, this, [this] {
        if (!chosen().isEmpty()) accept();
    });
    connect(m_table->selectionModel(), &QItemSelectionModel::selectionChanged, this,
            &CachedDialog::updateButtons);
    updateButtons();
    load(hubCache);
}

void CachedDialog::load(const std::filesystem::path& hubCache) {
    QThreadPool::globalInstance()->start([dialog = QPointer<CachedDialog>(this), hubCache] {
        std::vector<CachedModel> models = listCachedModels(hubCache);
        QMetaObject::invokeMethod(
            qApp,
            [dialog, hubCache, models = std::move(models)] {
                if (!dialog) return;
                const std::size_t count = models.size();
                dialog->m_models.setModels(models);
                const QString folder = QString::fromStdString(hubCache.string());
                dialog->m_note->setText(
                    count == 0 ? tr("There are no models in %1.").arg(folder)
                               : tr("%1 models in %2. Nothing is downloaded.").arg(count).arg(folder));
            },
            Qt::QueuedConnection);
    });
}

QString CachedDialog::chosen() const {
    const QModelIndexList rows = m_table->selectionModel()->selectedRows();
    if (rows.isEmpty()) return {};
    const CachedModel& model = m_models.at(m_proxy->mapToSource(rows.front()).row());
    return model.complete ? QString::fromStdString(model.name) : QString();
}

void CachedDialog::updateButtons() {
    m_buttons->button(QDialogButtonBox::Open)->setEnabled(!chosen().isEmpty());
}

}  // namespace fovea::gui
