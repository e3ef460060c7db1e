#include <QAbstractItemModelTester>
#include <QSortFilterProxyModel>

#include "fovea/selection.h"
#include "gui/fake_driver.h"
#include "gui/window_fixture.h"
#include "models/cached_models.h"
#include "models/edit_list.h"
#include "models/index_text.h"
#include "models/model_tree.h"
#include "models/window_hint.h"
#include "panels/error_banner.h"

namespace fovea::gui {

namespace {

constexpr auto fatal = QAbstractItemModelTester::FailureReportingMode::Fatal;

std::shared_ptr<const ModelSpec> spec() {
    return FakeDriver(std::make_shared<FakeScript>()).model({}, {});
}

}  // namespace

TEST_CASE("hints at the window give no advice for the command line") {
    const auto pairs = std::vector<std::pair<std::string, std::string>>{
        {"A prompt needs the model's tokenizer; --tensors takes input_ids without it.", "A prompt needs the model's tokenizer"},
        {"Give a picture with --image.", "Give a picture with Picture in the tool bar."},
        {"Leave --image out.", "Take the picture out."},
        {"Open the model's folder, or give token ids as input_ids with --tensors.", "Open the model's folder"},
        {"record fewer sites (--sites) or quantities (--keep), or raise --budget to 2.0 MiB (part of it; 4 MiB keep all)",
         "record fewer sites or quantities"},
        {"give a picture (--image FILE or --image scene:SEED), a text (--prompt) or --tensors FILE", ""},
        {"Say what. fovea-cli families lists them.", "Say what."},
        {"did you mean \"rollout\"? known: a, b", "did you mean \"rollout\"? known: a, b"},
        {"One (of them). Two; three, or four", "One (of them). Two; three, or four"},
        {"", ""}};
    for (const auto& [given, shown] : pairs) {
        CAPTURE(given);
        CHECK(windowHint(given) == shown);
    }
    ErrorBanner banner;
    banner.showFailure({"Title", "Detail", "Open it; --tensors takes ids."});
    CHECK(banner.text() == "Title\nDetail\nOpen it");
}

TEST_CASE("the model tree is a consistent item model, through resets and new summaries") {
    ModelTree tree;
    QSortFilterProxyModel proxy;
    QAbstractItemModelTester tester(&tree, fatal);
    proxy.setSourceModel(&tree);
    proxy.setRecursiveFilteringEnabled(true);
    proxy.setFilterRole(ModelTree::SearchRole);
    QAbstractItemModelTester proxyTester(&proxy, fatal);
    tree.setSpec(spec());
    tree.setSummary(FakeDriver(std::make_shared<FakeScript>()).summary({}, 0, {}));
    const QModelIndex root = tree.index(0, 0);
    REQUIRE(tree.rowCount(root) == 12);
    const QModelIndex layer = tree.index(4, 0, root);
    CHECK(tree.rowCount(layer) == 3);
    CHECK(tree.index(2, 0, layer).data(ModelTree::HeadRole) == 2);
    CHECK(tree.index(4, ModelTree::Entropy, root).data(ModelTree::ValueRole).toDouble() ==
          doctest::Approx((4.5 - 0.3 * 4 + 3.0 - 0.1 * 4 + 2.0 + 0.15 * 4) / 3));
    const auto head = [&](int row, int column) { return tree.index(row, column, layer).data(ModelTree::ValueRole); };
    CHECK(head(2, ModelTree::SinkMass).toDouble() == doctest::Approx(0.32));
    CHECK(head(1, ModelTree::ImageShare).toDouble() == doctest::Approx(0.8));
    // Where no key is of an image there is no share to show.
    CHECK_FALSE(head(2, ModelTree::ImageShare).isValid());
    CHECK(tree.headerData(ModelTree::SinkMass, Qt::Horizontal, Qt::ToolTipRole).toString().contains("5 times"));
    CHECK(tree.headerData(ModelTree::Entropy, Qt::Horizontal, Qt::ToolTipRole).toString().contains("nats"));
    proxy.setFilterFixedString("vision.7.self");
    CHECK(proxy.rowCount(proxy.index(0, 0)) == 1);
    tree.setSpec(nullptr);
    CHECK(tree.rowCount() == 0);
}

TEST_CASE("a model with several attentions per block names them") {
    auto two = std::make_shared<ModelSpec>(*spec());
    AttentionSite cross = two->sites[0];
    cross.kind = SiteKind::Cross;
    two->sites.insert(two->sites.begin() + 1, cross);
    ModelTree tree;
    QAbstractItemModelTester tester(&tree, fatal);
    tree.setSpec(two);
    const QModelIndex root = tree.index(0, 0);
    CHECK(tree.index(0, 0, root).data().toString() == "0 self");
    CHECK(tree.index(1, 0, root).data().toString() == "0 cross");
    CHECK(tree.index(2, 0, root).data().toString() == "1");
}

TEST_CASE("the edits are a consistent item model") {
    const FakeDriver driver(std::make_shared<FakeScript>());
    EditList list(driver.offer());
    QAbstractItemModelTester tester(&list, fatal);
    list.setEdits({{"scale_keys", {{"factor", 0.5}}, true}, {"mute_heads", nlohmann::json::object(), false}});
    list.setCounts({12, 1});
    CHECK(list.index(0).data().toString().contains("factor 0.5"));
    CHECK(list.index(0).data().toString().contains("12 sites"));
    CHECK(list.index(1).data().toString().contains("off"));
    int row = -1;
    QObject::connect(&list, &EditList::enabledChosen, [&](int at, bool) { row = at; });
    CHECK(list.setData(list.index(1), Qt::Checked, Qt::CheckStateRole));
    CHECK(row == 1);
    list.setCounts({1});  // of an earlier list: ignored
    list.setEdits({});
    CHECK(list.rowCount() == 0);
}

TEST_CASE("cached models are a consistent item model; incomplete ones cannot be chosen") {
    CachedModels models;
    QAbstractItemModelTester tester(&models, fatal);
    CachedModel good, bad;
    good.name = "org/good";
    good.complete = true;
    good.bytes = 3u << 20;
    bad.name = "org/bad";
    bad.problem = "model-00002-of-00002.safetensors is not there";
    models.setModels({bad, good});
    CHECK(models.index(1, CachedModels::Size).data().toString().contains("MiB"));
    CHECK((models.index(0, 0).flags() & Qt::ItemIsEnabled) == 0);
    CHECK((models.index(1, 0).flags() & Qt::ItemIsEnabled) != 0);
    CHECK(models.index(0, CachedModels::State).data().toString().contains("00002"));
}

TEST_CASE("index lists become the shortest text") {
    CHECK(indexText({}) == "");
    CHECK(indexText({4}) == "4");
    CHECK(indexText({0, 1, 2, 5, 7, 8}) == "0-2,5,7-8");
    CHECK(indexText({0, 1, 2}, 3) == "all");
    CHECK(indexText({0, 1}, 3) == "0-1");
}

TEST_CASE("tokens of an answer are named by their places there, others by their indices") {
    StageTokens stage;
    stage.stage = "text";
    for (const TokenKind kind : {TokenKind::Text, TokenKind::Text, TokenKind::Generated, TokenKind::Generated, TokenKind::Special}) {
        Token token;
        token.index = stage.size();
        token.kind = kind;
        stage.tokens.push_back(token);
    }
    CHECK(tokensText({1}, &stage, true) == "1");
    CHECK(tokensText({2}, &stage, true) == "writing:0");
    CHECK(tokensText({0, 3, 4}, &stage, true) == "0;writing:1-2");
    CHECK(tokensText({3}, &stage, false) == "answer:1");
    CHECK(tokensText({3}, nullptr, true) == "3");
    CHECK(tokensText({}, &stage, true) == "");
    TokenMap map;
    map.stages.push_back(stage);
    CHECK(namedTokens(tokensText({0, 3, 4}, &stage, true).toStdString(), map, "text") == std::vector<int>{0, 3, 4});
    // While an answer comes, its tokens are behind those that are known.
    stage.tokens.resize(2);
    CHECK(tokensText({3}, &stage, true) == "writing:1");
}

TEST_CASE("what probabilities differ by has no sign at zero, and limits where only limits are known") {
    CHECK(changeText(0.5, 0.5342) == "+3.4 %");
    CHECK(changeText(0.5, 0.25) == "-25.0 %");
    CHECK(changeText(0.5, 0.49999) == "0.0 %");
    CHECK(belowText(0.012) == "< 1.20 %");
    CHECK(belowText(1e-6) == "< 0.01 %");
    CHECK(changeText(Likelihood{0.2, 0.1}, Likelihood{0.3, 0.1}) == "+10.0 %");
    CHECK(changeText(Likelihood{0.2, 0.1}, Likelihood{-1, 0.05}) == "< -15.0 %");
    CHECK(changeText(Likelihood{-1, 0.05}, Likelihood{0.2, 0.1}) == "> +15.0 %");
    CHECK(changeText(Likelihood{0.2, 0.1}, Likelihood{-1, 1e-5}) == "-20.0 %");
    CHECK(changeText(Likelihood{0.2, 0.1}, Likelihood{-1, 0.4}).isEmpty());
    CHECK(changeText(Likelihood{-1, 0.1}, Likelihood{-1, 0.1}).isEmpty());
}

}  // namespace fovea::gui
