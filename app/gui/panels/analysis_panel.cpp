#include "panels/analysis_panel.h"

#include <QComboBox>
#include <QFormLayout>
#include <QLabel>
#include <QSignalBlocker>
#include <QVBoxLayout>

#include "forms/described.h"
#include "forms/param_editor.h"
#include "forms/param_form.h"

namespace fovea::gui {

namespace {

QComboBox* narrowCombo(QWidget* parent) {
    auto* box = new QComboBox(parent);
    box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    box->setMinimumContentsLength(12);
    box->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    return box;
}

}  // namespace

AnalysisPanel::AnalysisPanel(SessionController& controller, const Offer& offer, QWidget* parent)
    : QWidget(parent),
      m_controller(controller),
      m_offer(offer),
      m_pictures(narrowCombo(this)),
      m_analysis(narrowCombo(this)),
      m_help(new QLabel(this)),
      m_form(new ParamForm(this)),
      m_finding(narrowCombo(this)) {
    for (const EntryInfo& entry : offer.analyses) {
        m_analysis->addItem(QString::fromStdString(entry.title), QString::fromStdString(entry.id));
        m_analysis->setItemData(m_analysis->count() - 1, QString::fromStdString(entry.help), Qt::ToolTipRole);
    }
    described(m_analysis, tr("Analysis"), tr("What is computed from the model's attention"));
    described(m_finding, tr("Result"), tr("Which of the analysis' results the views draw"));
    described(m_pictures, tr("Picture of the session"),
              tr("Sessions can hold several pictures; this one is shown"));
    m_help->setWordWrap(true);
    m_help->setProperty("role", "quiet");

    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 6, 8, 0);
    layout->setSpacing(8);
    layout->addWidget(m_pictures);
    layout->addWidget(m_analysis);
    layout->addWidget(m_help);
    layout->addWidget(m_form);
    m_result = new QWidget(this);
    auto* result = new QFormLayout(m_result);
    result->setContentsMargins(0, 0, 0, 0);
    result->setHorizontalSpacing(10);
    result->addRow(tr("Result"), m_finding);
    layout->addWidget(m_result);

    connect(m_analysis, &QComboBox::activated, this,
            [this] { choose(m_analysis->currentData().toString().toStdString()); });
    connect(m_pictures, &QComboBox::activated, this,
            [this](int row) { m_controller.show([row](Session& s) { s.views["picture"] = row; }); });
    connect(m_finding, &QComboBox::activated, this, [this] {
        m_drawn = m_finding->currentData().toString().toStdString();
        m_controller.change(tr("choose result"), {}, [&](Session& s) {
            s.pictures[static_cast<std::size_t>(m_controller.pictureIndex())].finding = m_drawn;
        });
    });
    connect(m_form, &ParamForm::edited, this, [this](const QString& param) {
        const PictureRequest* picture = m_controller.picture();
        if (!picture) return;
        const auto at = static_cast<std::size_t>(picture->analysis);
        m_controller.change(tr("change %1").arg(param), "param/" + param, [&](Session& s) {
            // Only what differs from what would be drawn without it, be it a default or the view's choice.
            AnalysisRequest& request = s.analyses[at];
            const std::string name = param.toStdString();
            request.params.erase(name);
            const nlohmann::json drawn = asDrawn(request);
            const nlohmann::json value = m_form->value(name);
            if (value != (drawn.contains(name) ? drawn.at(name) : m_form->standard(name)))
                request.params[name] = value;
        });
    });
    connect(&m_controller, &SessionController::changed, this, &AnalysisPanel::showSession);
    showSession();
}

void AnalysisPanel::choose(const std::string& id) {
    m_controller.change(tr("choose analysis"), {},
                        [&](Session& s) { chooseAnalysis(s, m_controller.pictureIndex(), id); });
}

void AnalysisPanel::setContext(const FormContext& context) {
    const AnalysisRequest* request = m_controller.analysis();
    m_context = contextFor(context, request ? request->params : nlohmann::json::object());
    m_form->setContext(m_context);
}

void AnalysisPanel::setFindings(const std::vector<FindingOffer>& findings) {
    m_findings = findings;
    showFindings();
}

void AnalysisPanel::setDrawn(const std::string& finding) {
    m_drawn = finding;
    showFindings();
}

void AnalysisPanel::showFindings() {
    const QSignalBlocker quiet(m_finding);
    m_finding->clear();
    for (const FindingOffer& finding : m_findings) {
        // "map 1" alone does not say which picture of the prompt it is of; the title does, where there are several.
        const QString title = QString::fromStdString(finding.title);
        const auto place = title.lastIndexOf(", picture ");
        QString label = labelOf(finding.name);
        if (finding.kind == sheetKind) label = title;
        if (place >= 0) label = QString("P%1 (%2)").arg(title.mid(place + 3), label);
        m_finding->addItem(label, QString::fromStdString(finding.name));
        m_finding->setItemData(m_finding->count() - 1, title, Qt::ToolTipRole);
    }
    m_result->setVisible(m_findings.size() > 1);
    const PictureRequest* picture = m_controller.picture();
    // What the visible view draws; before it has, what the document asks for.
    const std::string& shown = m_drawn.empty() && picture ? picture->finding : m_drawn;
    const int row = shown.empty() ? 0 : m_finding->findData(QString::fromStdString(shown));
    m_finding->setCurrentIndex(std::max(0, row));
}

void AnalysisPanel::fillPictures() {
    const QSignalBlocker quiet(m_pictures);
    const Session& session = m_controller.session();
    m_pictures->clear();
    for (std::size_t i = 0; i < session.pictures.size(); ++i) {
        const auto at = static_cast<std::size_t>(session.pictures[i].analysis);
        const EntryInfo* entry =
            at < session.analyses.size() ? m_offer.analysis(session.analyses[at].id) : nullptr;
        m_pictures->addItem(
            tr("Picture %1 of %2: %3")
                .arg(i + 1)
                .arg(session.pictures.size())
                .arg(QString::fromStdString(entry ? entry->title : session.pictures[i].painter)));
    }
    m_pictures->setCurrentIndex(m_controller.pictureIndex());
    m_pictures->setVisible(session.pictures.size() > 1);
}

void AnalysisPanel::showSession() {
    fillPictures();
    const AnalysisRequest* request = m_controller.analysis();
    const EntryInfo* entry = request ? m_offer.analysis(request->id) : nullptr;
    const QSignalBlocker quiet(m_analysis);
    m_analysis->setCurrentIndex(entry ? m_analysis->findData(QString::fromStdString(entry->id)) : -1);
    m_help->setText(entry ? QString::fromStdString(entry->help) : tr("Choose what to compute."));
    m_form->setEntry(entry);
    if (request && contextFor(m_context, request->params).chosenStage != m_context.chosenStage) setContext(m_context);
    if (request) m_form->setValues(asDrawn(*request));
    showFindings();
}

}  // namespace fovea::gui
