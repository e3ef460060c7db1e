// The window on the real engine: the demo model on a procedural scene, and the same bytes as the command
// line.
#include <doctest/doctest.h>

#include <QApplication>
#include <QColor>
#include <QComboBox>
#include <QDir>
#include <QElapsedTimer>
#include <QFile>
#include <QLineEdit>
#include <QMouseEvent>
#include <QProcess>
#include <QSlider>
#include <QTemporaryDir>
#include <QTest>
#include <QTimer>
#include <QToolButton>
#include <QTreeView>
#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "compute/engine_driver.h"
#include "panels/analysis_panel.h"
#include "panels/answer_panel.h"
#include "panels/conversation_view.h"
#include "panels/error_banner.h"
#include "panels/model_panel.h"
#include "panels/timeline_bar.h"
#include "panels/token_flow.h"
#include "views/picture_view.h"
#include "views/view_area.h"
#include "views/view_page.h"
#include "window/main_window.h"

namespace fovea::gui {

namespace {

struct EngineFixture {
    QTemporaryDir folder;
    std::unique_ptr<MainWindow> window =
        std::make_unique<MainWindow>(std::make_unique<EngineDriver>(), folder.filePath("settings.ini"));

    EngineFixture() {
        window->askUnsaved = [] { return MainWindow::Unsaved::Discard; };
        window->resize(1360, 860);
        window->show();
        window->controller().open(startingSession("demo:vit", "scene:1"), {});
    }
    void settle() {
        REQUIRE(QTest::qWaitFor([&] { return window->presenter().settled(); }, 600000));
        REQUIRE_MESSAGE(window->banner().isHidden(), window->banner().text().toStdString());
    }
};

QByteArray bytesOf(const QString& path) {
    QFile file(path);
    REQUIRE_MESSAGE(file.open(QIODevice::ReadOnly), path.toStdString());
    return file.readAll();
}

}  // namespace

TEST_CASE_FIXTURE(EngineFixture, "the demo's first picture is there within 10 s, with tree and types") {
    QElapsedTimer clock;
    clock.start();
    REQUIRE(QTest::qWaitFor([&] { return window->views().currentPage().hasPicture(); }, 60000));
    MESSAGE("first picture after ", clock.elapsed(), " ms");
    CHECK(clock.elapsed() < 10000);
    settle();
    const QAbstractItemModel* tree = window->modelPanel().tree().model();
    const QModelIndex layer = tree->index(0, ModelTree::Entropy, tree->index(0, 0));
    CHECK(layer.data(ModelTree::ValueRole).toDouble() > 0);
    const double image = tree->index(0, ModelTree::ImageShare, tree->index(0, 0)).data(ModelTree::ValueRole).toDouble();
    CHECK(image > 0);
    CHECK(image < 1);
    CHECK(tree->index(0, ModelTree::SinkMass, tree->index(0, 0)).data(ModelTree::ValueRole).isValid());
    const auto& hits = window->views().currentPage().view(Side::A).picture()->hits;
    CHECK(std::count_if(hits.begin(), hits.end(), [](const viz::HitArea& h) { return h.value > 0; }) > 100);
}

TEST_CASE_FIXTURE(EngineFixture, "every analysis finds a view, and every view an analysis") {
    settle();
    // About words: the demo writes none.
    const std::set<std::string> ofText = {"logit_lens", "next_token", "pixel_rollout"};
    for (const EntryInfo& entry : window->service().offer().analyses) {
        if (ofText.contains(entry.id)) continue;
        window->views().showView("overlay");
        settle();
        window->analysisPanel().choose(entry.id);
        settle();
        CHECK_MESSAGE(window->views().currentPage().hasPicture(), entry.id);
        CHECK(window->controller().analysis()->id == entry.id);
    }
    for (const QString& view : window->views().viewIds()) {
        window->views().showView(view);
        settle();
        CHECK_MESSAGE(window->views().currentPage().hasPicture(), view.toStdString());
        CHECK(window->views().currentView() == view);
    }
}

TEST_CASE_FIXTURE(EngineFixture, "the window and fovea-cli give the same bytes for the same session") {
    const QString cli = qEnvironmentVariable("FOVEA_TEST_CLI");
    REQUIRE_MESSAGE(QFile::exists(cli),
                    "FOVEA_TEST_CLI names the fovea-cli to compare with: ", cli.toStdString());
    settle();
    window->controller().change("edit", {}, [](Session& s) {
        s.analyses[0].params = {{"queries", "grid:5,5"}, {"layers", "all"}};
        s.pictures[0].display.colormap = "viridis";
    });
    settle();
    for (const char* suffix : {"png", "svg", "pdf"}) {
        const QString mine = folder.filePath(QString("mine.") + suffix);
        window->controller().change(
            "name", {}, [&](Session& s) { s.pictures[0].file = std::string("theirs.") + suffix; });
        settle();
        const QString session = folder.filePath("session.fovea.json");
        window->controller().setFile(session);
        REQUIRE(window->opener().save());
        window->exportTo(mine);
        settle();
        QProcess process;
        process.start(cli, {"run", session, "-o", folder.path(), "--quiet"});
        REQUIRE(process.waitForFinished(120000));
        REQUIRE_MESSAGE(process.exitCode() == 0, process.readAllStandardError().toStdString());
        const QByteArray ours = bytesOf(mine), theirs = bytesOf(folder.filePath(QString("theirs.") + suffix));
        CHECK_MESSAGE(ours == theirs, suffix, ": ", ours.size(), " and ", theirs.size(), " bytes");
    }
}

TEST_CASE_FIXTURE(EngineFixture, "side by side, a linked scale is one for both sides, also in the file") {
    settle();
    window->actions().compare->trigger();
    window->controller().change("x", {}, [](Session& s) {
        s.edits.push_back({"temperature", {{"temperature", 4.0}}, true});
    });
    settle();
    ViewPage& page = window->views().currentPage();
    const auto scaleOf = [&](Side side) {
        const std::string& recipe = page.view(side).picture()->recipe;
        const std::size_t at = recipe.find("linked scale");
        REQUIRE(at != std::string::npos);
        return recipe.substr(at, recipe.find(" |", at) - at);
    };
    CHECK(scaleOf(Side::A) == scaleOf(Side::B));
    CHECK(page.view(Side::A).picture()->recipe != page.view(Side::B).picture()->recipe);
    const Session drawn = window->presenter().document();
    CHECK(drawn.pictures[0].display.minimum < drawn.pictures[0].display.maximum);
    CHECK(window->presenter().wholeDocument().pictures[0].display.maximum == 0);
}

TEST_CASE_FIXTURE(EngineFixture, "a scanpath is stepped through fixation by fixation") {
    settle();
    window->analysisPanel().choose("scanpath");
    settle();
    const auto bars = window->findChildren<TimelineBar*>();
    const auto visible = std::find_if(bars.begin(), bars.end(),
                                      [&](const TimelineBar* bar) { return bar->isVisibleTo(window.get()); });
    REQUIRE(visible != bars.end());
    const auto hits = [&] { return window->views().currentPage().view(Side::A).picture()->hits.size(); };
    const std::size_t all = hits();
    REQUIRE(all > 3);
    CHECK((*visible)->step() == static_cast<int>(all) - 1);
    (*visible)->findChild<QSlider*>()->setValue(2);
    settle();
    CHECK(hits() == 3);
    CHECK(window->controller().undoStack().count() == 1);
    CHECK(window->presenter().document().pictures[0].params == nlohmann::json{{"until", 3}});
    window->analysisPanel().choose("rollout");
    settle();
    CHECK_FALSE((*visible)->isVisibleTo(window.get()));
}

TEST_CASE_FIXTURE(EngineFixture, "the demo of a model that answers names a scene's objects, with heat for each word") {
    window->opener().openDemo("demo:vlm");
    settle();
    AnswerPanel& panel = window->answerPanel();
    MESSAGE(panel.text(Side::A).toStdString());
    CHECK(panel.text(Side::A).size() > 8);
    CHECK(window->views().currentPage().hasPicture());
    const auto heat = [&] {
        std::vector<double> values;
        for (const viz::HitArea& hit : window->views().currentPage().view(Side::A).picture()->hits)
            values.push_back(hit.value);
        return values;
    };
    const std::vector<double> all = heat();
    CHECK(std::count_if(all.begin(), all.end(), [](double v) { return v > 0; }) > 100);
    const int token = panel.answer(Side::A)[1].index;
    REQUIRE(token > 196);
    Q_EMIT panel.tokenChosen(token);
    settle();
    CHECK(window->controller().analysis()->params.at("queries") == "writing:1");
    CHECK(panel.flow(Side::A).chosen() == token);
    CHECK(window->views().currentPage().view(Side::A).picture()->title.starts_with("Attention while writing \""));
    CHECK(heat() != all);
    window->views().showView("tokens");
    settle();
    CHECK(window->views().currentPage().hasPicture());
}

TEST_CASE_FIXTURE(EngineFixture, "pictures of an answer say whose words they are about") {
    window->opener().openDemo("demo:vlm");
    settle();
    AnswerPanel& answer = window->answerPanel();
    const auto title = [&] { return window->views().currentPage().view(Side::A).picture()->title; };
    window->analysisPanel().choose("relevance");
    settle();
    CHECK_MESSAGE(title().find("answer tokens, summed") != std::string::npos, title());
    // Why a word: a click asks about it.
    for (const char* id : {"relevance", "input_gradient"}) {
        window->analysisPanel().choose(id);
        settle();
        Q_EMIT answer.tokenChosen(answer.answer(Side::A)[1].index);
        settle();
        CHECK(window->controller().analysis()->params.at("queries") == "writing:1");
        const std::string word = answer.flow(Side::A).items()[1].text.toStdString();
        const std::string asked = "log probability of \"" + word.substr(word.find_first_not_of(' ')) + "\"";
        CHECK_MESSAGE(title().find(asked) != std::string::npos, title() << " / " << asked);
    }
    window->analysisPanel().choose("pixel_rollout");
    settle();
    for (const viz::Layer& layer : window->views().currentPage().view(Side::A).picture()->layers)
        for (const viz::Mark& mark : layer.marks)
            if (const auto* text = std::get_if<viz::TextMark>(&mark)) CHECK(text->text.find("[CLS]") == std::string::npos);
}

TEST_CASE_FIXTURE(EngineFixture, "a dragged box is read by the words that name what is in it") {
    window->opener().openDemo("demo:vlm");
    settle();
    AnswerPanel& panel = window->answerPanel();
    // Where the picture lies in its drawing, so that a drag there is one of pixels.
    PictureView& view = window->views().currentPage().view(Side::A);
    REQUIRE(view.picture()->images.size() == 1);
    const viz::ImageArea area = view.picture()->images.front();
    CHECK(area.source == Rect{0, 0, 224, 224});
    for (const viz::HitArea& hit : view.picture()->hits)
        if (!hit.source.empty())
            CHECK(std::abs(area.target.x + hit.source.x * area.target.width / 224 - hit.rect.x) < 0.01);
    const auto at = [&](double part) {
        return view.transform().map(QPointF(area.target.x, area.target.y) + part * QPointF(area.target.width, area.target.height)).toPoint();
    };
    QTest::mousePress(&view, Qt::LeftButton, {}, at(0.01));
    QMouseEvent move(QEvent::MouseMove, at(0.5), view.mapToGlobal(at(0.5)), Qt::NoButton, Qt::LeftButton, {});
    QApplication::sendEvent(&view, &move);
    QTest::mouseRelease(&view, Qt::LeftButton, {}, at(0.5));
    settle();
    REQUIRE(boxQuery(window->controller().session()));
    CHECK(std::abs(boxQuery(window->controller().session())->box.width - 110) < 3);
    window->presenter().askBox(BoxQuery{0, {0, 0, 112, 112}});
    settle();
    const auto heats = [&] {
        std::vector<QColor> colors;
        for (const FlowItem& item : panel.flow(Side::A).items()) colors.push_back(item.heat);
        return colors;
    };
    const std::vector<QColor> first = heats();
    REQUIRE(first.size() > 3);
    // </s> is no word.
    CHECK(std::all_of(first.begin(), first.end() - 1, [](const QColor& c) { return c.isValid(); }));
    CHECK_FALSE(first.back().isValid());
    CHECK(std::set<QRgb>{first.front().rgb(), first[1].rgb(), first[2].rgb(), first[3].rgb()}.size() > 1);
    window->presenter().askBox(BoxQuery{0, {112, 112, 112, 112}});
    settle();
    CHECK(heats() != first);
}

namespace {

/// A LoRA folder for the demo that answers: rank 2 on the query projection of its layer 4.
void writeAdapter(const QString& folder) {
    REQUIRE(QDir().mkpath(folder));
    QFile config(folder + "/adapter_config.json");
    REQUIRE(config.open(QIODevice::WriteOnly));
    config.write(R"({"peft_type":"LORA","r":2,"lora_alpha":64,"target_modules":["q_proj"]})");
    config.close();
    const std::string path = "base_model.model.language_model.model.layers.4.self_attn.q_proj.lora_";
    const nlohmann::json header = {
        {path + "A.weight", {{"dtype", "F32"}, {"shape", {2, 256}}, {"data_offsets", {0, 2048}}}},
        {path + "B.weight", {{"dtype", "F32"}, {"shape", {256, 2}}, {"data_offsets", {2048, 4096}}}}};
    const std::string text = header.dump();
    QFile weights(folder + "/adapter_model.safetensors");
    REQUIRE(weights.open(QIODevice::WriteOnly));
    const auto length = static_cast<std::uint64_t>(text.size());
    weights.write(reinterpret_cast<const char*>(&length), 8);
    weights.write(text.data(), static_cast<qint64>(text.size()));
    for (int i = 0; i < 1024; ++i) {
        const float value = static_cast<float>((i * 37 % 101 - 50) / 300.0);
        weights.write(reinterpret_cast<const char*>(&value), 4);
    }
}

}  // namespace

TEST_CASE_FIXTURE(EngineFixture, "an adapter's strength is followed without loading the model again") {
    const QString lora = folder.filePath("lora");
    writeAdapter(lora);
    window->opener().openDemo("demo:vlm");
    settle();
    const auto probabilities = [&] {
        std::vector<double> values;
        for (const AnswerToken& token : window->answerPanel().answer(Side::A)) values.push_back(token.probability);
        return values;
    };
    const std::vector<double> base = probabilities();
    window->opener().openAdapter(lora);
    settle();
    const std::vector<double> whole = probabilities();
    CHECK(whole != base);
    const auto spec = window->presenter().context().spec;
    const auto setStrength = [&](double strength) {
        window->controller().change("x", {}, [&](Session& s) { s.model.adapters.at(0).strength = strength; });
        settle();
    };
    setStrength(0.5);
    CHECK(probabilities() != whole);
    CHECK(window->presenter().context().spec == spec);  // of the same load
    setStrength(0);
    CHECK(probabilities() == base);
    CHECK(window->presenter().context().spec == spec);
    window->actions().compareAdapters->trigger();
    settle();
    CHECK(window->views().currentPage().view(Side::B).picture() != nullptr);
}

TEST_CASE_FIXTURE(EngineFixture, "a further question is answered with the conversation in the prompt, its tokens on the timeline") {
    window->opener().openDemo("demo:vlm");
    settle();
    AnswerPanel& panel = window->answerPanel();
    const std::string first = panel.text(Side::A).toStdString();
    const int length = window->presenter().context().input->maps[0].stage("text").size();
    panel.further().setText("What is the largest object?");
    Q_EMIT panel.further().returnPressed();
    settle();
    MESSAGE(panel.text(Side::A).toStdString());
    CHECK(panel.text(Side::A).size() > 2);
    const StageTokens& prompt = window->presenter().context().input->maps[0].stage("text");
    CHECK(prompt.size() > length + static_cast<int>(first.size()) / 8);
    REQUIRE(panel.conversation().flows().size() == 2);
    std::string said;
    for (const FlowItem& item : panel.conversation().flows()[1]->items()) said += item.text.toStdString();
    CHECK(said.find(first.substr(first.rfind(' ') + 1)) != std::string::npos);
    CHECK(panel.answer(Side::A).front().index == prompt.size());
    panel.startAgain().click();
    settle();
    CHECK(panel.text(Side::A).toStdString() == first);
}

TEST_CASE_FIXTURE(EngineFixture, "all pictures of a prompt are shown side by side, each cell with the tokens of its own") {
    window->opener().openDemo("demo:vlm");
    settle();
    window->controller().change("pictures", {}, [](Session& s) { s.input.images = {"scene:1", "scene:2"}; });
    settle();
    window->views().showView("overlay");
    settle();
    PictureView& view = window->views().currentPage().view(Side::A);
    REQUIRE(view.picture()->images.size() == 2);
    const StageTokens& text = window->presenter().context().answer->map.stage("text");
    std::map<int, int> hits;
    for (const viz::HitArea& hit : view.picture()->hits) {
        REQUIRE(hit.token >= 0);
        const Token& token = text.tokens[static_cast<std::size_t>(hit.token)];
        CHECK(hit.source == token.rect);
        const Rect& cell = view.picture()->images[static_cast<std::size_t>(token.image)].target;
        CHECK(cell.contains(hit.rect.x + hit.rect.width / 2, hit.rect.y + hit.rect.height / 2));
        ++hits[token.image];
    }
    CHECK(hits == std::map<int, int>{{0, 196}, {1, 196}});
    // A click on a cell of the second picture looks from its token, a box asks about that picture.
    const viz::HitArea last = view.picture()->hits.back();
    const auto at = [&](const viz::ImageArea& area, double x, double y) {
        return view.transform().map(QPointF(area.target.x + x * area.target.width, area.target.y + y * area.target.height)).toPoint();
    };
    QTest::mouseClick(&view, Qt::LeftButton, {}, view.transform().map(QRectF(last.rect.x, last.rect.y, last.rect.width, last.rect.height).center()).toPoint());
    settle();
    CHECK(window->controller().analysis()->params.at("queries") == std::to_string(last.token));
    const viz::ImageArea second = view.picture()->images[1];
    QTest::mousePress(&view, Qt::LeftButton, {}, at(second, 0.25, 0.25));
    QMouseEvent move(QEvent::MouseMove, QPointF(at(second, 0.75, 0.75)), view.mapToGlobal(QPointF(at(second, 0.75, 0.75))), Qt::LeftButton,
                     Qt::LeftButton, {});
    QApplication::sendEvent(&view, &move);
    QTest::mouseRelease(&view, Qt::LeftButton, {}, at(second, 0.75, 0.75));
    settle();
    const std::optional<BoxQuery> box = boxQuery(window->controller().session());
    REQUIRE(box);
    CHECK(box->image == 1);
    CHECK(std::abs(box->box.x - 56) <= 2);
    // The result box names what is drawn, and looks at one of them large.
    auto* result = [&] {
        for (QComboBox* each : window->analysisPanel().findChildren<QComboBox*>())
            if (each->findData("maps") >= 0) return each;
        return static_cast<QComboBox*>(nullptr);
    }();
    REQUIRE(result);
    CHECK(result->currentText() == "All pictures");
    const QString session = folder.filePath("several.fovea.json"), mine = folder.filePath("mine.svg");
    window->controller().change("name", {}, [](Session& s) { s.pictures[0].file = "theirs.svg"; });
    settle();
    window->controller().setFile(session);
    REQUIRE(window->opener().save());
    window->exportTo(mine);
    settle();
    QProcess process;
    process.start(qEnvironmentVariable("FOVEA_TEST_CLI"), {"run", session, "-o", folder.path(), "--quiet"});
    REQUIRE(process.waitForFinished(120000));
    REQUIRE_MESSAGE(process.exitCode() == 0, process.readAllStandardError().toStdString());
    CHECK(bytesOf(mine) == bytesOf(folder.filePath("theirs.svg")));
    const std::string scale = view.picture()->recipe.substr(view.picture()->recipe.find("linked scale"));
    result->setCurrentIndex(result->findData("map 1"));
    Q_EMIT result->activated(result->currentIndex());
    settle();
    REQUIRE(view.picture()->images.size() == 1);
    CHECK(view.picture()->images[0].image == 1);
    CHECK(view.picture()->recipe.substr(view.picture()->recipe.find("linked scale")) == scale);
    CHECK(result->currentData() == "map 1");
}

TEST_CASE_FIXTURE(EngineFixture, "numbers are exported by suffix") {
    settle();
    for (const char* suffix : {"json", "csv", "npz", "safetensors"}) {
        const QString file = folder.filePath(QString("numbers.") + suffix);
        window->exportTo(file);
        settle();
        CHECK_MESSAGE(bytesOf(file).size() > 400, suffix);
    }
}

TEST_CASE_FIXTURE(EngineFixture, "the window answers within 50 ms while a real run goes on") {
    settle();
    QElapsedTimer clock;
    qint64 last = 0, longest = 0;
    QTimer beat;
    beat.setInterval(1);
    QObject::connect(&beat, &QTimer::timeout, [&] {
        longest = std::max(longest, clock.elapsed() - last);
        last = clock.elapsed();
    });
    clock.start();
    beat.start();
    // The longest analysis there is: many forward and backward passes.
    window->controller().change("run", {}, [](Session& s) {
        s.analyses[0] = {"integrated_gradients", nlohmann::json::object()};
    });
    QTest::qWait(50);
    settle();
    MESSAGE("run of ", clock.elapsed(), " ms, longest gap ", longest, " ms");
    CHECK(longest <= 50);
}

}  // namespace fovea::gui
