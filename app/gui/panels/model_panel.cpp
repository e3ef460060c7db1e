#include "panels/model_panel.h"

#include <QEvent>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QSortFilterProxyModel>
#include <QTreeView>
#include <QVBoxLayout>
#include <algorithm>
#include <set>

#include "forms/described.h"
#include "fovea/error.h"
#include "fovea/selection.h"
#include "models/bar_delegate.h"
#include "models/index_text.h"

namespace fovea::gui {

namespace {

const ParamSpec* paramOfType(const EntryInfo* entry, ParamType type) {
    if (entry)
        for (const ParamSpec& spec : entry->params)
            if (spec.type == type) return &spec;
    return nullptr;
}

std::string valueOf(const nlohmann::json& params, const ParamSpec& spec) {
    const auto found = params.find(spec.name);
    const nlohmann::json& value = found != params.end() ? *found : spec.defaultValue;
    return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

QString answerText(const std::vector<Answer>& answers) {
    if (answers.empty()) return {};
    return QString("%1  %2 %")
        .arg(QString::fromStdString(answers.front().label))
        .arg(100 * answers.front().probability, 0, 'f', 1);
}

ModelPanel::ModelPanel(SessionController& controller, const Offer& offer, QWidget* parent)
    : QWidget(parent),
      m_controller(controller),
      m_offer(offer),
      m_proxy(new QSortFilterProxyModel(this)),
      m_title(new QLabel(this)),
      m_answer(new QLabel(this)),
      m_filter(new QLineEdit(this)),
      m_tree(new QTreeView(this)) {
    m_title->setWordWrap(true);
    m_title->setText(tr("No model is open."));
    m_answer->setWordWrap(true);
    m_answer->hide();
    m_filter->setPlaceholderText(tr("Filter: 11, h0, vision.3 ..."));
    m_filter->setClearButtonEnabled(true);
    described(m_filter, tr("Filter layers and heads"),
              tr("Shows only the layers and heads whose name contains this"));
    m_proxy->setSourceModel(&m_model);
    m_proxy->setRecursiveFilteringEnabled(true);
    m_proxy->setFilterRole(ModelTree::SearchRole);
    m_proxy->setFilterCaseSensitivity(Qt::CaseInsensitive);
    m_tree->setModel(m_proxy);
    m_tree->setSelectionMode(QAbstractItemView::ExtendedSelection);
    m_tree->setItemDelegate(new BarDelegate(this));
    m_tree->setUniformRowHeights(true);
    m_tree->header()->setStretchLastSection(false);
    m_tree->viewport()->installEventFilter(this);
    described(m_tree, tr("Layers and heads of the model"),
              tr("Select layers and heads: the analysis uses them. Ctrl and Shift select several."));

    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 6, 8, 8);
    layout->setSpacing(6);
    layout->addWidget(m_title);
    layout->addWidget(m_answer);
    layout->addWidget(m_filter);
    layout->addWidget(m_tree, 1);

    connect(m_filter, &QLineEdit::textChanged, this, [this](const QString& text) {
        m_proxy->setFilterFixedString(text);
        if (!text.isEmpty()) m_tree->expandAll();
    });
    connect(m_tree->selectionModel(), &QItemSelectionModel::selectionChanged, this,
            &ModelPanel::applySelection);
    connect(&m_controller, &SessionController::changed, this, &ModelPanel::showSelection);
}

bool ModelPanel::eventFilter(QObject* object, QEvent* event) {
    if (object == m_tree->viewport() && event->type() == QEvent::Resize) fitColumns();
    return QWidget::eventFilter(object, event);
}

void ModelPanel::fitColumns() {
    const QFontMetrics metrics = m_tree->fontMetrics();
    // Two steps of indentation and an arrow stand before the name of a head.
    const int name = 3 * m_tree->indentation() + metrics.horizontalAdvance("h00") + 8;
    const int number = metrics.horizontalAdvance("0.000") + 12;
    const int room = m_tree->viewport()->width();
    constexpr int numbers = ModelTree::columns - 1;
    const int bars = std::clamp((room - name) / numbers - number, 0, 44);
    int taken = 0;
    for (int column = 1; column < ModelTree::columns; ++column) {
        const QString title = m_model.headerData(column, Qt::Horizontal, Qt::DisplayRole).toString();
        const int width = std::max(number + bars, m_tree->header()->fontMetrics().horizontalAdvance(title) + 12);
        m_tree->header()->resizeSection(column, width);
        taken += width;
    }
    m_tree->header()->resizeSection(ModelTree::Name, std::max(name, room - taken));
}

void ModelPanel::setContext(const FormContext& context) {
    const bool other = context.spec != m_context.spec;
    m_context = context;
    if (!other) return;
    m_showing = true;
    m_model.setSpec(context.spec);
    m_showing = false;
    if (context.spec) {
        const ModelSpec& spec = *context.spec;
        m_title->setText(
            tr("%1, %2 M parameters")
                .arg(QString::fromStdString(spec.architecture.empty() ? spec.family : spec.architecture))
                .arg(static_cast<double>(spec.parameters) / 1e6, 0, 'f', 1));
        m_title->setToolTip(QString::fromStdString(spec.source));
    }
    m_tree->expandToDepth(0);
    showSelection();
}

void ModelPanel::setSummary(const std::vector<SiteSummary>& summary) {
    m_model.setSummary(summary);
}

void ModelPanel::setAnswers(const std::vector<Answer>& answers) {
    m_answer->setText(tr("Answer: %1").arg(answerText(answers)));
    QStringList all;
    for (const Answer& answer : answers) all << answerText({answer});
    m_answer->setToolTip(all.join("\n"));
    m_answer->setVisible(!answers.empty());
}

FormContext ModelPanel::analysed() const {
    const AnalysisRequest* request = m_controller.analysis();
    return contextFor(m_context, request ? request->params : nlohmann::json::object());
}

std::set<std::string> ModelPanel::selectedStages() const {
    std::set<std::string> stages;
    for (QModelIndex row : m_tree->selectionModel()->selectedRows()) {
        while (row.parent().isValid()) row = row.parent();
        const auto at = static_cast<std::size_t>(m_proxy->mapToSource(row).row());
        if (at < m_context.spec->stages.size()) stages.insert(m_context.spec->stages[at].id);
    }
    return stages;
}

void ModelPanel::applySelection() {
    if (m_showing || !m_context.spec) return;
    const AnalysisRequest* request = m_controller.analysis();
    const EntryInfo* entry = request ? m_offer.analysis(request->id) : nullptr;
    const ParamSpec* layers = paramOfType(entry, ParamType::Layers);
    const ParamSpec* heads = paramOfType(entry, ParamType::Heads);
    if (!layers && !heads) return;

    std::set<int> chosenLayers, chosenHeads;
    bool allLayers = false, allHeads = false;
    const QModelIndexList rows = m_tree->selectionModel()->selectedRows();
    if (rows.isEmpty()) return;
    for (const QModelIndex& row : rows) {
        const int level = row.data(ModelTree::LevelRole).toInt();
        if (level == 0) allLayers = true;
        if (level >= 1) chosenLayers.insert(row.data(ModelTree::LayerRole).toInt());
        if (level == 2) chosenHeads.insert(row.data(ModelTree::HeadRole).toInt());
        if (level < 2) allHeads = true;
    }
    FormContext context = analysed();
    const bool staged = std::any_of(entry->params.begin(), entry->params.end(),
                                    [](const ParamSpec& spec) { return spec.name == "stage"; });
    // Rows of one stage choose it; layers of several cannot be named together.
    const std::set<std::string> stages = selectedStages();
    const std::string before = context.stage() ? context.stage()->id : "";
    if (staged && stages.size() == 1) context.chosenStage = *stages.begin();
    const StageSpec* stage = context.stage();
    const bool moved = stage && stage->id != before;
    const QString layerText = allLayers ? "all" : indexText(chosenLayers, stage ? stage->layers : 0);
    const QString headText = allHeads ? "all" : indexText(chosenHeads, context.heads());
    m_showing = true;
    const std::string id = request->id;
    const int picture = m_controller.pictureIndex();
    m_controller.changeSides(tr("select layers and heads"), "tree", [&](Session& session, int) {
        AnalysisRequest* drawn = drawnAnalysis(session, picture, id);
        if (!drawn) return;
        auto& params = drawn->params;
        const auto put = [&params](const ParamSpec* spec, const QString& text) {
            if (!spec) return;
            if (spec->defaultValue == text.toStdString())
                params.erase(spec->name);
            else
                params[spec->name] = text.toStdString();
        };
        if (moved) {
            // Tokens of one stage mean others in the next.
            for (const ParamSpec& spec : entry->params)
                if (spec.type == ParamType::Tokens) params.erase(spec.name);
            params.erase("site");
            params.erase("stage");
            if (stage != context.usualStage()) params["stage"] = stage->id;
        }
        put(layers, layerText);
        put(heads, headText);
    });
    m_showing = false;
}

void ModelPanel::select(const QModelIndex& source, bool& scrolled) {
    const QModelIndex row = m_proxy->mapFromSource(source);
    if (!row.isValid()) return;
    m_tree->selectionModel()->select(row, QItemSelectionModel::Select | QItemSelectionModel::Rows);
    if (scrolled) return;
    scrolled = true;
    m_tree->scrollTo(row);
}

void ModelPanel::showSelection() {
    const FormContext context = analysed();
    if (m_showing || !context.spec || !context.stage()) return;
    const AnalysisRequest* request = m_controller.analysis();
    const EntryInfo* entry = request ? m_offer.analysis(request->id) : nullptr;
    const ParamSpec* layers = paramOfType(entry, ParamType::Layers);
    const ParamSpec* heads = paramOfType(entry, ParamType::Heads);
    m_showing = true;
    m_tree->clearSelection();
    try {
        if (layers) {
            const int count = context.stage()->layers;
            const nlohmann::json params = asDrawn(*request);
            const std::string text = valueOf(params, *layers);
            const std::string headText = heads ? valueOf(params, *heads) : "all";
            const std::vector<int> blocks = parseIndices(text, count, "layer");
            const std::vector<int> headList = parseIndices(headText, context.heads(), "head");
            const bool everyHead = static_cast<int>(headList.size()) == context.heads();
            bool scrolled = false;
            const auto& stages = context.spec->stages;
            const auto at = std::find_if(stages.begin(), stages.end(),
                                         [&](const StageSpec& stage) { return &stage == context.stage(); });
            const QModelIndex root = m_model.index(static_cast<int>(at - stages.begin()), 0);
            if (static_cast<int>(blocks.size()) == count && everyHead)
                select(root, scrolled);
            else
                for (int row = 0; row < m_model.rowCount(root); ++row) {
                    const QModelIndex layer = m_model.index(row, 0, root);
                    if (!std::binary_search(blocks.begin(), blocks.end(),
                                            layer.data(ModelTree::LayerRole).toInt()))
                        continue;
                    if (everyHead)
                        select(layer, scrolled);
                    else
                        for (int head : headList) select(m_model.index(head, 0, layer), scrolled);
                }
        }
    } catch (const Error&) {
        // A selection that this model does not have: the run reports it, the tree shows none.
        m_tree->clearSelection();
    }
    m_showing = false;
}

}  // namespace fovea::gui
