#pragma once

#include <QObject>
#include <QTimer>
#include <map>
#include <set>
#include <string>

#include "compute/compute_service.h"
#include "forms/form_context.h"
#include "window/session_controller.h"

namespace fovea::gui {

class ViewArea;
class ViewPage;
struct ViewKind;

/// Turns changes of the document into requests, and results into pictures in the views.
class Presenter : public QObject {
    Q_OBJECT

public:
    Presenter(SessionController& controller, ComputeService& service, ViewArea& views,
              QObject* parent = nullptr);

    /// Computes what the views need now.
    void refresh();
    /// Whether changes are computed as they are made; otherwise they wait for refresh().
    void setLive(bool on);
    void setItem(int item);
    int item() const { return m_item; }
    /// Steps of the time axis of what the visible view shows (fixations of a scanpath), 0 without one, and
    /// the step that is drawn, counted from 0.
    std::pair<int, int> steps() const;
    /// Draws the time axis up to `step`.
    void setStep(int step);
    /// Looks from tokens of a stage: they become the queries of the analysis, those of another stage by their place in
    /// the picture; of words of an answer, the queries that wrote them.
    void chooseTokens(const QString& stage, const std::set<int>& tokens);
    /// Asks which tokens read a box of a picture; nothing: no longer.
    void askBox(const std::optional<BoxQuery>& query);
    /// Lets analyses look from where they usually do: tokens of the last prompt are others in the next.
    void forgetTokens(Session& session) const;
    /// Nothing is running or about to run, and the visible picture is drawn.
    bool settled() const;
    /// The session that the panels edit, as it is drawn: with the painter that the visible view uses and the
    /// name of that view.
    Session document() const;
    /// The document as it is to be saved: A as it is drawn and, while comparing, B beside it.
    Session wholeDocument() const;
    /// The name of the result that the visible view draws; empty while it has no picture.
    std::string drawnFinding() const;
    const FormContext& context() const { return m_context; }

Q_SIGNALS:
    void contextChanged(const fovea::gui::FormContext& context);
    /// The picture of the visible view, for legend and ranges.
    void shown(const std::shared_ptr<const fovea::viz::Picture>& picture);
    /// The one token of the text stage that is looked from, of an answer the one that was written; -1: none, or several.
    void lookedFrom(int token);
    /// Live is off and something changed.
    void outdated();

private:
    /// Fills in what a view suggests for its analysis.
    void suit(Session& session, const ViewKind& kind) const;
    /// What the views that are shown want computed; nothing for the input view.
    std::vector<ViewWish> wishes() const;
    /// What a view wants computed, with the analysis of the document or another one.
    ViewWish wish(const ViewKind& kind, const std::string& analysis) const;
    Session asDrawn(Session session) const;
    void documentChanged();
    void deliver(const PictureDelivery& delivery);
    /// The visible view cannot draw what its analysis found: whoever chose last, view or analysis, the other
    /// follows.
    void missing(const QString& view);
    /// The same for the view beside: it draws its own analysis then.
    void missingBeside(ViewPage& page);
    void sayMissing(ViewPage& page, const std::string& analysis);
    bool followAnalysis();
    bool followView(const ViewPage& page);
    void answered(std::shared_ptr<const TextAnswer> answer);
    /// The context with the stage of the analysis that is shown.
    FormContext analysed() const;
    /// `tokens` of `stage` in the stage that an analysis with these parameters is about.
    std::set<int> inAnalysedStage(const nlohmann::json& params, const std::string& stage,
                                  const std::set<int>& tokens) const;
    /// Whether a side, 0 for A, has these tokens; the answers of the sides may differ in length.
    bool has(int side, const std::string& stage, const std::set<int>& tokens) const;
    void showTokens();
    void showSelection();
    void showBoxes();

    SessionController& m_controller;
    ComputeService& m_service;
    ViewArea& m_views;
    FormContext m_context;
    std::shared_ptr<const TextAnswer> m_answerB;
    QTimer m_soon;
    bool m_live = true;
    int m_item = 0;
    SessionInput m_shownInput;
    std::map<QString, PictureDelivery> m_drawn;
    std::map<QString, std::string> m_analysisOf;  ///< what each view drew last
    std::vector<FindingOffer> m_findings;
    std::string m_analysis;   ///< that the document showed last
    std::string m_besideAnalysis;  ///< what the view beside draws; empty: the document's
    bool m_viewLeads = true;  ///< the view was chosen after the analysis
};

}  // namespace fovea::gui
