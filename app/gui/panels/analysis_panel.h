#pragma once

#include <QWidget>
#include <functional>

#include "compute/driver.h"
#include "forms/form_context.h"
#include "window/session_controller.h"

class QComboBox;
class QLabel;

namespace fovea::gui {

class ParamForm;

/// Which analysis is shown and its parameters, generated from the declarations of the catalogue.
class AnalysisPanel : public QWidget {
    Q_OBJECT

public:
    AnalysisPanel(SessionController& controller, const Offer& offer, QWidget* parent = nullptr);
    void setContext(const FormContext& context);
    void setFindings(const std::vector<FindingOffer>& findings);
    /// Which of them the visible view draws; empty: not known.
    void setDrawn(const std::string& finding);
    /// The parameters that a request is drawn with: its own and what the visible view adds. The form shows
    /// these.
    std::function<nlohmann::json(const AnalysisRequest&)> asDrawn = [](const AnalysisRequest& request) {
        return request.params;
    };
    /// Shows the session again: what is drawn may be another.
    void refresh() { showSession(); }
    /// Makes analysis `id` the one that is shown, with the parameters it had last.
    void choose(const std::string& id);

private:
    void showSession();
    void showFindings();
    void fillPictures();

    SessionController& m_controller;
    const Offer& m_offer;
    std::vector<FindingOffer> m_findings;
    std::string m_drawn;
    FormContext m_context;
    QComboBox* m_pictures;
    QComboBox* m_analysis;
    QLabel* m_help;
    ParamForm* m_form;
    QComboBox* m_finding;
    QWidget* m_result = nullptr;
};

}  // namespace fovea::gui
