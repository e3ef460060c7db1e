#include "viz/samples.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea::viz::samples {
namespace {

constexpr float none = std::numeric_limits<float>::quiet_NaN();

/// Deterministic on every machine, unlike the distributions of the standard library.
class Random {
public:
    explicit Random(std::uint64_t seed) : m_state(seed * 0x9E3779B97F4A7C15ull + 1) {}
    double next() {
        m_state ^= m_state << 13;
        m_state ^= m_state >> 7;
        m_state ^= m_state << 17;
        return static_cast<double>(m_state >> 11) / 9007199254740992.0;
    }

private:
    std::uint64_t m_state;
};

}  // namespace

Pixels photo(int width, int height) {
    Pixels image(width, height);
    for (int y = 0; y < height; ++y)
        for (int x = 0; x < width; ++x) {
            const double u = (x + 0.5) / width, v = (y + 0.5) / height;
            double r = 90 + 110 * v, g = 130 + 60 * (1 - v), b = 200 - 120 * v;
            if (std::hypot(u - 0.3, (v - 0.45) * 0.8) < 0.16) r = 220, g = 70, b = 60;
            if (std::abs(u - 0.7) + std::abs(v - 0.6) < 0.18) r = 60, g = 160, b = 90;
            const double texture = 12 * std::sin(40 * u) * std::sin(33 * v);
            const auto byte = [&](double c) {
                return static_cast<std::uint8_t>(std::clamp(c + texture, 0.0, 255.0));
            };
            image.at(x, y)[0] = byte(r);
            image.at(x, y)[1] = byte(g);
            image.at(x, y)[2] = byte(b);
        }
    return image;
}

TokenMap tokens(int width, int height, int rows, int columns) {
    TokenMap map;
    map.images.push_back({width, height, rows, columns, {}});
    StageTokens vision{"vision", rows, columns, {}};
    vision.tokens.push_back({0, TokenKind::Special, "[CLS]", -1, -1, -1, {}});
    for (int r = 0; r < rows; ++r)
        for (int c = 0; c < columns; ++c)
            vision.tokens.push_back(
                {vision.size(),
                 TokenKind::Image,
                 "",
                 0,
                 r,
                 c,
                 {static_cast<double>(width) * c / columns, static_cast<double>(height) * r / rows,
                  static_cast<double>(width) / columns, static_cast<double>(height) / rows}});
    StageTokens text{"text", rows, columns, {}};
    const auto word = [&](const std::string& w, TokenKind kind = TokenKind::Text) {
        text.tokens.push_back({text.size(), kind, w, -1, -1, -1, {}});
    };
    word("<s>", TokenKind::Special);
    word("USER");
    word(":");
    for (int i = 1; i < vision.size(); ++i) {
        Token token = vision.tokens[i];
        token.index = text.size();
        text.tokens.push_back(token);
    }
    for (const char* w :
         {"What", "\u2581colour", "\u2581is", "\u2581the", "\u2581star", "?", "\n", "ASSISTANT", ":"})
        word(w);
    for (const char* w : {"The", "\u2581star", "\u2581is", "\u2581red", "."}) word(w, TokenKind::Generated);
    map.stages = {vision, text};
    return map;
}

Array DenseMatrix::tile(int rowBegin, int rowEnd, int columnBegin, int columnEnd) const {
    rowBegin = std::clamp(rowBegin, 0, m_rows);
    rowEnd = std::clamp(rowEnd, rowBegin, m_rows);
    columnBegin = std::clamp(columnBegin, 0, m_columns);
    columnEnd = std::clamp(columnEnd, columnBegin, m_columns);
    Array out({rowEnd - rowBegin, columnEnd - columnBegin});
    for (int r = rowBegin; r < rowEnd; ++r)
        for (int c = columnBegin; c < columnEnd; ++c)
            out.at(r - rowBegin, c - columnBegin) = m_values[static_cast<std::size_t>(r) * m_columns + c];
    return out;
}

Array DenseMatrix::pooled(int block) const {
    Array out({(m_rows + block - 1) / block, (m_columns + block - 1) / block});
    for (int r = 0; r < out.size(0); ++r)
        for (int c = 0; c < out.size(1); ++c) {
            const Array part = tile(r * block, (r + 1) * block, c * block, (c + 1) * block);
            double sum = 0;
            for (const float value : part.values) sum += value;
            out.at(r, c) = static_cast<float>(sum / static_cast<double>(part.values.size()));
        }
    return out;
}

std::vector<std::string> headNames(int layers, int heads) {
    std::vector<std::string> names;
    for (int l = 0; l < layers; ++l)
        for (int h = 0; h < heads; ++h) names.push_back("L" + std::to_string(l) + " H" + std::to_string(h));
    return names;
}

Finding grid(int rows, int columns, const std::vector<std::string>& planes, double width, double height,
             bool isSigned) {
    Grid g;
    g.rows = rows;
    g.columns = columns;
    g.area = {0, 0, width, height};
    g.planes = planes;
    g.signedValues = isSigned;
    for (std::size_t p = 0; p < planes.size(); ++p) {
        Random random(p + 5);
        const double cx = 0.3 + 0.4 * random.next(), cy = 0.35 + 0.3 * random.next(),
                     spread = 0.08 + 0.2 * random.next();
        const double strength = 0.3 + random.next();
        for (int r = 0; r < rows; ++r)
            for (int c = 0; c < columns; ++c) {
                const double x = (c + 0.5) / columns - cx, y = (r + 0.5) / rows - cy;
                double v =
                    strength * std::exp(-(x * x + y * y) / (2 * spread * spread)) + 0.06 * random.next();
                if (isSigned) v -= 0.9 * std::exp(-((x + 0.3) * (x + 0.3) + y * y) / 0.02);
                g.values.push_back(static_cast<float>(v / (0.1 * rows * columns)));
            }
    }
    return {"map", "Attention of [CLS], where it looks", "probability", "", g};
}

Finding scores(const TokenMap& map, const std::string& stage) {
    TokenScores s;
    s.stage = stage;
    Random random(3);
    for (const Token& token : map.stage(stage).tokens) {
        const double x = token.column - 4.0, y = token.row - 6.0;
        s.values.push_back(
            static_cast<float>(token.row >= 0 ? 0.03 * std::exp(-(x * x + y * y) / 9) + 0.002 * random.next()
                                              : 0.02 * random.next()));
    }
    return {"scores", "Attention of \"red\" on every token", "probability", "", s};
}

Finding matrix(const std::string& stage, int size) {
    std::vector<float> values;
    Random random(11);
    for (int r = 0; r < size; ++r) {
        double sum = 0;
        const std::size_t begin = values.size();
        for (int c = 0; c < size; ++c) {
            const double d = (r - c) / (0.02 * size + 1);
            values.push_back(
                static_cast<float>(std::exp(-d * d) + (c == 0 ? 2.5 : 0.02) + 0.1 * random.next()));
            sum += values.back();
        }
        for (std::size_t i = begin; i < values.size(); ++i) values[i] = static_cast<float>(values[i] / sum);
    }
    return {"matrix", "Attention, layer 5, mean over heads", "probability", "",
            PairMatrix{stage, stage, std::make_shared<DenseMatrix>(size, size, values)}};
}

Finding tree(const TokenMap& map) {
    const StageTokens& stage = map.stage("vision");
    Tree t;
    t.stage = "vision";
    Random random(21);
    // Every cell points to a neighbour nearer to one of three centres.
    const std::vector<std::pair<double, double>> centers = {{0.3, 0.45}, {0.7, 0.6}, {0.5, 0.1}};
    for (int i = 0; i < stage.size(); ++i) t.tokens.push_back(i);
    for (int i = 0; i < stage.size(); ++i) {
        const Token& token = stage.tokens[i];
        t.parent.push_back(-1);
        t.weight.push_back(0);
        t.depth.push_back(0);
        t.score.push_back(static_cast<float>(random.next()));
        if (token.row < 0) continue;
        const double x = (token.column + 0.5) / stage.gridColumns, y = (token.row + 0.5) / stage.gridRows;
        const auto* best = &centers[0];
        for (const auto& center : centers)
            if (std::hypot(center.first - x, center.second - y) <
                std::hypot(best->first - x, best->second - y))
                best = &center;
        const double dx = (best->first - x) * stage.gridColumns, dy = (best->second - y) * stage.gridRows;
        const int steps = static_cast<int>(std::lround(std::max(std::abs(dx), std::abs(dy))));
        t.depth.back() = steps;
        t.weight.back() = static_cast<float>(0.1 + 0.8 * random.next());
        if (steps == 0) continue;
        const int row =
            std::clamp(token.row + static_cast<int>(std::lround(dy / steps)), 0, stage.gridRows - 1);
        const int column =
            std::clamp(token.column + static_cast<int>(std::lround(dx / steps)), 0, stage.gridColumns - 1);
        const int parent = stage.tokenAt(row, column);
        t.parent.back() = parent == i ? -1 : parent;
    }
    return {"tree", "Dependency tree of the image tokens", "probability", "", t};
}

Finding path(double width, double height, int fixations) {
    Path p;
    Random random(8);
    double onset = 0;
    for (int i = 0; i < fixations; ++i) {
        const double duration = 80 + 500 * random.next() * random.next();
        p.fixations.push_back({width * (0.12 + 0.76 * random.next()), height * (0.15 + 0.7 * random.next()),
                               onset, duration, 0.2 * random.next()});
        onset += duration + 30;
    }
    return {"path", "Scanpath from the attention map", "ms",
            "A prediction of a model, not a recording of a person.", p};
}

Finding series(int lines, int points) {
    Series s;
    s.xLabel = "layer";
    s.yLabel = "entropy";
    Random random(2);
    for (int l = 0; l < lines; ++l) {
        Series::Line line;
        line.name = lines == 1 ? "mean over heads" : "head " + std::to_string(l);
        const double phase = 6 * random.next();
        for (int i = 0; i < points; ++i) {
            line.x.push_back(i);
            line.y.push_back(3 + std::sin(0.5 * i + phase) + 0.25 * l * i / points + 0.2 * random.next());
        }
        s.lines.push_back(line);
    }
    return {"entropy", "Entropy of the attention rows", "nats", "", s};
}

Finding table(int rows) {
    Table t;
    t.columns = {{"token", ""},          {"row", ""},   {"col", ""}, {"incoming mass", "tokens"},
                 {"sink rate", "share"}, {"layers", ""}};
    Random random(31);
    for (int r = 0; r < rows; ++r) {
        const double mass = 40 * std::pow(0.8, r);
        t.rows.push_back(
            {r == 0 ? Table::Cell("[CLS]") : Table::Cell("patch " + std::to_string(17 * r % 196)),
             double(r % 14), double(3 * r % 14), mass, random.next() * mass / 40, r % 3 ? "7-11" : "5-11"});
    }
    return {"table", "Sink tokens, all layers and heads", "",
            "A sink receives more than 5 times its uniform share.", t};
}

std::vector<Finding> all(const TokenMap& map, double width, double height) {
    return {grid(14, 14, headNames(2, 3), width, height),
            scores(map, "vision"),
            scores(map, "text"),
            matrix("vision", 197),
            tree(map),
            path(width, height, 9),
            series(5, 12),
            table(9)};
}

std::vector<Finding> awkward(const TokenMap& map) {
    const std::string longName(3000, 'w');
    std::vector<Finding> out;
    const auto add = [&](Finding::Data data) {
        out.push_back({"odd", longName, longName, longName + " <image> ]]> & \x01\xff", std::move(data)});
    };
    add(TokenScores{});
    add(TokenScores{"vision", {none}});
    add(TokenScores{"text", std::vector<float>(map.stage("text").tokens.size(), none)});
    add(TokenScores{"unknown stage", {1, 2, 3}});
    add(TokenScores{"vision", std::vector<float>(1000, 0.5f)});
    add(TokenScores{"vision",
                    {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(), 3e38f,
                     -3e38f, 1e-45f}});
    add(PairMatrix{});
    add(PairMatrix{"vision", "vision", std::make_shared<DenseMatrix>(0, 0, std::vector<float>{})});
    add(PairMatrix{"vision", "text", std::make_shared<DenseMatrix>(1, 1, std::vector<float>{none})});
    add(PairMatrix{"x", "y", std::make_shared<DenseMatrix>(1, 3000, std::vector<float>(3000, 1))});
    add(PairMatrix{"x", "y", std::make_shared<DenseMatrix>(3000, 1, std::vector<float>(3000, 1))});
    add(Grid{});
    add(Grid{0, 1, 1, {0, 0, 1, 1}, {""}, {none}, false, false});
    add(Grid{5, 2, 3, {0, 0, 0, 0}, {longName, longName}, std::vector<float>(12, none), false, true});
    add(Grid{0, 14, 14, {0, 0, 1e9, 1e-9}, {"p"}, std::vector<float>(196, 0), true, false});
    add(Grid{0,
             2,
             2,
             {0, 0, 20, 20},
             {"p"},
             {0, none, std::numeric_limits<float>::infinity(), -1e30f},
             false,
             true});
    {
        Grid many{0, 14, 14, {0, 0, 100, 100}, {}, {}, false, false};
        for (int p = 0; p < 200; ++p) many.planes.push_back("plane " + std::to_string(p) + longName);
        many.values.assign(200 * 196, 0.25f);
        add(many);
    }
    add(Tree{});
    add(Tree{"vision",
             {0, 5, 5000, -3},
             {-1, 0, 900, 3},
             {none, none, 1, 2},
             {0, -4, 1000000, 2},
             {1, none, 2, 3}});
    add(Tree{"nowhere", {1, 2}, {1, 0}, {}, {}, {}});
    add(Path{});
    add(Path{0, {{none, none, 0, 0, 0}}});
    add(Path{0, {{1, 1, 0, 0, 0}, {1, 1, 0, -5, none}, {1e7, -1e7, 0, 1e12, 0}}});
    add(Series{});
    add(Series{longName, longName, {{longName, {}, {}}}});
    add(Series{"",
               "",
               {{"one", {1}, {2}},
                {"nothing", {1, 2, 3}, {none, none, none}},
                {"ragged", {1, 2, 3}, {1}},
                {"huge", {0, 1}, {-1e300, 1e300}}}});
    {
        Series many;
        for (int l = 0; l < 200; ++l)
            many.lines.push_back({longName, {0, 1, 2}, {double(l), none, double(-l)}});
        add(many);
    }
    add(Table{});
    add(Table{{{longName, longName}, {"b", ""}}, {{}, {none, longName}, {1.0, 2.0}}});
    {
        Table wide;
        for (int c = 0; c < 300; ++c) wide.columns.push_back({"column " + std::to_string(c), "u"});
        wide.rows.assign(2000, std::vector<Table::Cell>(300, 1.5));
        add(wide);
    }
    return out;
}

}  // namespace fovea::viz::samples
