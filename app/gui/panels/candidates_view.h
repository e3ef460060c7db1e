#pragma once

#include <QWidget>
#include <array>
#include <vector>

#include "compute/text_answer.h"

namespace fovea::gui {

/// What could have come at one place of an answer, with probabilities; while comparing, of both sides with the change.
class CandidatesView : public QWidget {
    Q_OBJECT

public:
    explicit CandidatesView(QWidget* parent = nullptr);
    /// The answers, and the place in them, from 0; -1 hides the view. `b` is null without a comparison.
    void setPlace(const std::vector<AnswerToken>& a, const std::vector<AnswerToken>* b, int position);

    /// A candidate as it is listed.
    struct Line {
        QString text;
        std::array<double, 2> probability{-1, -1};  ///< of A and B; negative: not among the likeliest there
        std::array<double, 2> limit{1, 1};          ///< of those that are not: the least likely that is listed
        std::array<bool, 2> chosen{false, false};
        bool operator==(const Line&) const = default;
        /// How likely it is on a side, 0 for A.
        QString likelihood(int side) const;
        /// What B has more than A; empty where nobody knows.
        QString change() const;
    };
    const std::vector<Line>& lines() const { return m_lines; }
    /// What is worth knowing about the comparison; empty without one.
    const QString& note() const { return m_note; }

    QSize sizeHint() const override;
    QSize minimumSizeHint() const override { return sizeHint(); }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    int columnWidth() const;

    std::vector<Line> m_lines;
    QString m_title, m_note;
    bool m_both = false;
};

}  // namespace fovea::gui
