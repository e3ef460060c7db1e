#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine.h"
#include "fovea/error.h"
#include "table_difference.h"

namespace fovea {
namespace {

template <typename T>
std::vector<T> minus(const std::vector<T>& b, const std::vector<T>& a) {
    std::vector<T> out(b.size());
    std::transform(b.begin(), b.end(), a.begin(), out.begin(), [](T x, T y) { return x - y; });
    return out;
}

// What the picture of a difference says where there is none; a value that both lack is the same.
template <typename T>
std::string sameNote(const std::vector<T>& a, const std::vector<T>& b) {
    const bool same = !a.empty() && std::equal(a.begin(), a.end(), b.begin(), b.end(), [](T x, T y) {
        return x == y || (std::isnan(x) && std::isnan(y));
    });
    return same ? "No difference: A and B have the same values." : "";
}

[[noreturn]] void differ(const Finding& a, const std::string& how) {
    throw Error(fmt::format("the findings \"{}\" cannot be subtracted: {}", a.name, how),
                "compare sessions with the same analysis and parameters on inputs of the same size",
                ErrorCode::Usage);
}

// B minus A, tile by tile.
class MatrixDifference final : public MatrixSource {
public:
    MatrixDifference(std::shared_ptr<const MatrixSource> a, std::shared_ptr<const MatrixSource> b)
        : m_a(std::move(a)), m_b(std::move(b)) {}
    int rows() const override { return m_a->rows(); }
    int columns() const override { return m_a->columns(); }
    Array tile(int rowBegin, int rowEnd, int columnBegin, int columnEnd) const override {
        return subtracted(m_a->tile(rowBegin, rowEnd, columnBegin, columnEnd),
                          m_b->tile(rowBegin, rowEnd, columnBegin, columnEnd));
    }
    Array pooled(int block) const override { return subtracted(m_a->pooled(block), m_b->pooled(block)); }

private:
    static Array subtracted(const Array& a, Array b) {
        b.values = minus(b.values, a.values);
        return b;
    }
    std::shared_ptr<const MatrixSource> m_a, m_b;
};

}  // namespace

Finding difference(const Finding& a, const Finding& b) {
    if (a.data.index() != b.data.index())
        differ(a, fmt::format("one is a {}, the other a {}", findingKindName(a), findingKindName(b)));
    Finding out = b;
    out.title = "Difference (B - A): " + b.title;
    out.note.clear();
    if (auto* grid = std::get_if<Grid>(&out.data)) {
        const Grid& other = std::get<Grid>(a.data);
        if (grid->rows != other.rows || grid->columns != other.columns ||
            grid->planes.size() != other.planes.size())
            differ(a,
                   fmt::format("{} x {} cells in {} planes against {} x {} in {}", grid->rows, grid->columns,
                               grid->planes.size(), other.rows, other.columns, other.planes.size()));
        out.note = sameNote(other.values, grid->values);
        grid->values = minus(grid->values, other.values);
        grid->signedValues = true;
    } else if (auto* scores = std::get_if<TokenScores>(&out.data)) {
        const TokenScores& other = std::get<TokenScores>(a.data);
        if (scores->values.size() != other.values.size())
            differ(a, fmt::format("{} tokens against {}", scores->values.size(), other.values.size()));
        out.note = sameNote(other.values, scores->values);
        scores->values = minus(scores->values, other.values);
    } else if (auto* matrix = std::get_if<PairMatrix>(&out.data)) {
        const auto& other = std::get<PairMatrix>(a.data).source;
        if (matrix->source->rows() != other->rows() || matrix->source->columns() != other->columns())
            differ(a, "matrices of different size");
        matrix->source = std::make_shared<MatrixDifference>(other, matrix->source);
    } else if (auto* series = std::get_if<Series>(&out.data)) {
        const Series& other = std::get<Series>(a.data);
        if (series->lines.size() != other.lines.size()) differ(a, "different curves");
        for (std::size_t i = 0; i < series->lines.size(); ++i) {
            if (series->lines[i].x != other.lines[i].x) differ(a, "curves over different points");
            series->lines[i].y = minus(series->lines[i].y, other.lines[i].y);
        }
    } else if (auto* table = std::get_if<Table>(&out.data)) {
        *table = difference(std::get<Table>(a.data), *table);
    } else {
        differ(a, fmt::format("a {} has no values that could be", findingKindName(a)));
    }
    return out;
}

}  // namespace fovea
