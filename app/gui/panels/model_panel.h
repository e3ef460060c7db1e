#pragma once

#include <QWidget>
#include <set>
#include <string>
#include <functional>

#include "forms/form_context.h"
#include "models/model_tree.h"
#include "window/session_controller.h"

class QLineEdit;
class QLabel;
class QSortFilterProxyModel;
class QTreeView;

namespace fovea::gui {

/// The model as a tree with a filter box; the selected rows set layers and heads of the analysis that is
/// shown.
class ModelPanel : public QWidget {
    Q_OBJECT

public:
    ModelPanel(SessionController& controller, const Offer& offer, QWidget* parent = nullptr);
    void setContext(const FormContext& context);
    void setSummary(const std::vector<SiteSummary>& summary);
    /// What the model says about the picture.
    void setAnswers(const std::vector<Answer>& answers);
    QTreeView& tree() { return *m_tree; }
    /// The parameters that a request is drawn with; the tree marks their layers and heads.
    std::function<nlohmann::json(const AnalysisRequest&)> asDrawn = [](const AnalysisRequest& request) {
        return request.params;
    };
    /// Marks the layers and heads that are drawn.
    void refresh() { showSelection(); }

protected:
    bool eventFilter(QObject* object, QEvent* event) override;

private:
    /// Names and numbers always have room; the bars take what is left.
    void fitColumns();
    void applySelection();
    void showSelection();
    void select(const QModelIndex& source, bool& scrolled);
    /// What the analysis is about, with its stage.
    FormContext analysed() const;
    /// The stages that the selected rows belong to.
    std::set<std::string> selectedStages() const;

    SessionController& m_controller;
    const Offer& m_offer;
    FormContext m_context;
    ModelTree m_model;
    QSortFilterProxyModel* m_proxy;
    QLabel* m_title;
    QLabel* m_answer;
    QLineEdit* m_filter;
    QTreeView* m_tree;
    bool m_showing = false;
};

/// The most probable class and its probability in per cent; empty when there are none.
QString answerText(const std::vector<Answer>& answers);

}  // namespace fovea::gui
