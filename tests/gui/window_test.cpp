#include <QClipboard>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QFile>
#include <QImage>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QMenu>
#include <QMimeData>
#include <QPushButton>
#include <QSlider>
#include <QToolButton>
#include <QTreeView>
#include <QUrl>
#include <algorithm>

#include "gui/window_fixture.h"
#include "window/options.h"

namespace fovea::gui {

TEST_CASE_FIXTURE(WindowFixture, "opening a model shows its picture, tree, types and memory") {
    openDemo();
    CHECK(title() == "Attention from token 0");
    QAbstractItemModel* tree = window->modelPanel().tree().model();
    REQUIRE(tree->rowCount() == 1);
    CHECK(tree->rowCount(tree->index(0, 0)) == 12);
    CHECK(tree->index(11, 2, tree->index(0, 0)).data().toString() == "2.25");
    CHECK(window->status().findChildren<QLabel*>().size() >= 4);
    CHECK(window->windowTitle().contains("demo:vit"));
}

TEST_CASE_FIXTURE(WindowFixture, "clicking a token makes it the query, and undo takes it back") {
    openDemo();
    QTest::mouseClick(&view(), Qt::LeftButton, {}, placeOf(50));
    settle();
    CHECK(title() == "Attention from token 50");
    CHECK(session().analyses[0].params.at("queries") == "50");
    CHECK(find<QLineEdit>("param_queries")->text() == "50");
    window->actions().undo->trigger();
    settle();
    CHECK(title() == "Attention from token 0");
    CHECK(find<QLineEdit>("param_queries")->text() == "cls");
    window->actions().redo->trigger();
    settle();
    CHECK(title() == "Attention from token 50");
}

TEST_CASE_FIXTURE(WindowFixture, "dragging a box chooses the tokens in it") {
    openDemo();
    const QPoint from = placeOf(1) - QPoint(4, 4), to = placeOf(17) + QPoint(4, 4);
    QTest::mousePress(&view(), Qt::LeftButton, {}, from);
    QTest::mouseMove(&view(), (from + to) / 2);
    QTest::mouseMove(&view(), to);
    QTest::mouseRelease(&view(), Qt::LeftButton, {}, to);
    CHECK(session().analyses[0].params.at("queries") == "1-3,15-17");
}

TEST_CASE_FIXTURE(WindowFixture, "arrow keys move between tokens and Enter chooses") {
    openDemo();
    view().setFocus();
    QTest::mouseMove(&view(), placeOf(20));
    CHECK(window->status().readOut().startsWith("token 20"));
    QTest::keyClick(&view(), Qt::Key_Right);
    CHECK(window->status().readOut().startsWith("token 21"));
    QTest::keyClick(&view(), Qt::Key_Down);
    CHECK(window->status().readOut().startsWith("token 35"));
    CHECK(window->status().readOut().contains("row 2 col 6"));
    QTest::keyClick(&view(), Qt::Key_Return);
    CHECK(session().analyses[0].params.at("queries") == "35");
}

TEST_CASE_FIXTURE(WindowFixture, "selecting layers and heads in the tree sets the analysis") {
    openDemo();
    QTreeView& tree = window->modelPanel().tree();
    const QModelIndex root = tree.model()->index(0, 0);
    tree.selectionModel()->clearSelection();
    const auto rows = QItemSelectionModel::Select | QItemSelectionModel::Rows;
    for (int layer : {3, 4, 7}) tree.selectionModel()->select(tree.model()->index(layer, 0, root), rows);
    CHECK(session().analyses[0].params.at("layers") == "3-4,7");
    CHECK_FALSE(session().analyses[0].params.contains("heads"));
    tree.selectionModel()->select(tree.model()->index(1, 0, tree.model()->index(5, 0, root)),
                                  QItemSelectionModel::ClearAndSelect | QItemSelectionModel::Rows);
    CHECK(session().analyses[0].params.at("layers") == "5");
    CHECK(session().analyses[0].params.at("heads") == "1");

    SUBCASE("and the other way round: the form selects in the tree") {
        auto* layers = find<QLineEdit>("param_layers");
        layers->clear();
        QTest::keyClicks(layers, "0-2");
        QTest::keyClick(layers, Qt::Key_Return);
        settle();
        QStringList selected;
        for (const QModelIndex& row : tree.selectionModel()->selectedRows())
            selected << row.parent().data().toString() + "/" + row.data().toString();
        selected.sort();
        CHECK(selected == QStringList{"0/h1", "1/h1", "2/h1"});
    }
}

TEST_CASE_FIXTURE(WindowFixture, "a selection that does not exist is shown as wrong and not computed") {
    openDemo();
    auto* layers = find<QLineEdit>("param_layers");
    layers->clear();
    QTest::keyClicks(layers, "99");
    QTest::keyClick(layers, Qt::Key_Return);
    CHECK_FALSE(session().analyses[0].params.contains("layers"));
    CHECK_FALSE(layers->accessibleDescription().isEmpty());
}

TEST_CASE_FIXTURE(WindowFixture, "edits are added, changed, reordered, switched off and removed") {
    openDemo();
    EditsPanel& panel = window->editsPanel();
    auto* menu = panel.findChildren<QMenu*>().front();
    for (QAction* action : menu->actions()) action->trigger();
    settle();
    REQUIRE(session().edits.size() == 3);
    QListView& list = panel.view();
    CHECK(list.model()->index(0, 0).data().toString().contains("12 sites"));

    list.setCurrentIndex(list.model()->index(0, 0));
    auto* factor = panel.findChild<QDoubleSpinBox*>("param_factor");
    REQUIRE(factor);
    factor->setValue(0.1);
    CHECK(session().edits[0].params.at("factor") == doctest::Approx(0.1));
    list.model()->setData(list.model()->index(1, 0), Qt::Unchecked, Qt::CheckStateRole);
    CHECK_FALSE(session().edits[1].enabled);
    const auto press = [&](const char* name) {
        for (QToolButton* button : panel.findChildren<QToolButton*>())
            if (button->accessibleName() == name) button->click();
    };
    press("Move the edit down");
    CHECK(session().edits[0].id == "mute_heads");
    CHECK(session().edits[1].id == "scale_keys");
    press("Remove the edit");
    CHECK(session().edits.size() == 2);
    while (window->controller().undoStack().canUndo()) window->actions().undo->trigger();
    CHECK(session().edits.empty());
}

TEST_CASE_FIXTURE(WindowFixture, "display settings go into the session, a dragged slider is one undo step") {
    openDemo();
    auto* opacity = find<QSlider>("display_opacity");
    for (int value : {50, 40, 30}) opacity->setValue(value);
    CHECK(session().pictures[0].display.opacity == doctest::Approx(0.3));
    CHECK(window->controller().undoStack().count() == 1);
    auto* scale = find<QComboBox>("display_scale");
    scale->setCurrentIndex(scale->findData("fixed"));
    Q_EMIT scale->activated(scale->currentIndex());
    CHECK(session().pictures[0].display.scale == "fixed");
    CHECK(session().pictures[0].display.maximum > 0);
    CHECK(find<QDoubleSpinBox>("display_maximum")->isVisibleTo(window.get()));
}

TEST_CASE_FIXTURE(WindowFixture,
                  "a view brings an analysis that it can draw, and an analysis a view that can draw it") {
    openDemo();
    window->views().showView("tree");
    settle();
    CHECK(window->controller().analysis()->id == "dependency_tree");
    CHECK(window->views().currentPage().hasPicture());
    CHECK(window->presenter().document().pictures[0].painter == "tree");
    window->views().showView("overlay");
    settle();
    CHECK(window->controller().analysis()->id == "attention_from");
    CHECK(window->controller().undoStack().count() == 0);
    window->analysisPanel().choose("dependency_tree");
    settle();
    CHECK(window->views().currentView() == "tree");
    CHECK(window->controller().analysis()->id == "dependency_tree");
    window->actions().undo->trigger();
    settle();
    CHECK(window->views().currentView() == "overlay");
    CHECK(window->controller().analysis()->id == "attention_from");
}

TEST_CASE_FIXTURE(WindowFixture, "a view that nothing can fill says so") {
    openDemo();
    window->views().showView("matrix");
    settle();
    CHECK_FALSE(window->views().currentPage().hasPicture());
    const auto labels = window->views().currentPage().findChildren<QLabel*>();
    CHECK(std::any_of(labels.begin(), labels.end(),
                      [](const QLabel* l) { return l->text().contains("has no result"); }));
    CHECK(window->controller().analysis()->id == "attention_from");
}

TEST_CASE_FIXTURE(WindowFixture, "the head grid shows every layer and head, unless the session says which") {
    openDemo();
    window->views().showView("head_grid");
    settle();
    CHECK(window->presenter().document().analyses[0].params ==
          nlohmann::json{{"planes", "layers_heads"}, {"layers", "all"}});
    CHECK(session().analyses[0].params.empty());
    window->controller().change("x", {}, [](Session& s) { s.analyses[0].params["layers"] = "3"; });
    settle();
    CHECK(window->presenter().document().analyses[0].params ==
          nlohmann::json{{"planes", "layers_heads"}, {"layers", "3"}});
    window->views().showView("overlay");
    settle();
    CHECK(window->presenter().document().analyses[0].params == nlohmann::json{{"layers", "3"}});
}

TEST_CASE_FIXTURE(WindowFixture, "the answer of the model is shown, and changes with edits") {
    openDemo();
    const auto answer = [&] {
        for (const QLabel* label : window->modelPanel().findChildren<QLabel*>())
            if (label->text().startsWith("Answer:") && !label->isHidden()) return label->text().toStdString();
        return std::string();
    };
    CHECK(answer() == "Answer: circle  75.0 %");
    window->controller().change("x", {}, [](Session& s) { s.edits.push_back({"temperature", {}, true}); });
    settle();
    CHECK(answer() == "Answer: ring  75.0 %");
}

TEST_CASE_FIXTURE(WindowFixture, "the last good picture stays under the banner when a run fails") {
    openDemo();
    const auto before = view().picture();
    script->failPaint = true;
    window->actions().run->trigger();
    settle();
    CHECK(window->banner().isVisibleTo(window.get()));
    CHECK(window->banner().text().contains("choose fewer layers"));
    CHECK(view().picture() == before);
    script->failPaint = false;
    window->actions().run->trigger();
    settle();
    CHECK(window->banner().isHidden());
}

TEST_CASE_FIXTURE(WindowFixture, "a model that cannot be opened is called so, and an empty view points to the message") {
    start();
    window->controller().open(startingSession("missing", "scene:1"), {});
    settle();
    CHECK(window->banner().text().startsWith("The model cannot be opened\n"));
    const auto labels = window->views().currentPage().findChildren<QLabel*>();
    CHECK(std::any_of(labels.begin(), labels.end(), [](const QLabel* label) { return label->text() == "The model cannot be opened: see above."; }));
    openDemo();
    script->failPaint = true;
    window->actions().run->trigger();
    settle();
    CHECK_FALSE(window->banner().text().contains("cannot be opened"));
}

TEST_CASE_FIXTURE(WindowFixture, "the size of type is chosen, kept, and larger when presenting") {
    const QFont before = QApplication::font();
    openDemo();
    window->actions().largerText->trigger();
    window->actions().largerText->trigger();
    CHECK(QApplication::font().pointSizeF() == doctest::Approx(1.2 * before.pointSizeF()));
    window->actions().present->trigger();
    CHECK(QApplication::font().pointSizeF() == doctest::Approx(1.6 * 1.2 * before.pointSizeF()));
    window->actions().present->trigger();
    window->actions().smallerText->trigger();
    CHECK(QApplication::font().pointSizeF() == doctest::Approx(1.1 * before.pointSizeF()));
    window->actions().usualText->trigger();
    CHECK(QApplication::font().pointSizeF() == doctest::Approx(before.pointSizeF()));
    QApplication::setFont(before);
}

TEST_CASE_FIXTURE(WindowFixture, "Stop ends a long run, and the window can run again") {
    openDemo();
    script->paintMs = 60000;
    window->actions().run->trigger();
    REQUIRE(QTest::qWaitFor([&] { return window->service().busy() && script->paints >= 2; }, 5000));
    REQUIRE(window->actions().stop->isEnabled());
    QTest::keyClick(window.get(), Qt::Key_Escape);
    settle();
    CHECK(script->stopped == 1);
    CHECK(window->banner().isHidden());
    script->paintMs = 0;
    QTest::mouseClick(&view(), Qt::LeftButton, {}, placeOf(9));
    settle();
    CHECK(title() == "Attention from token 9");
}

TEST_CASE_FIXTURE(WindowFixture, "a newer request replaces the running one") {
    openDemo();
    script->paintMs = 400;
    for (int token : {10, 11, 12, 13}) {
        window->controller().change(
            "x", {}, [&](Session& s) { s.analyses[0].params["queries"] = std::to_string(token); });
        QTest::qWait(60);
    }
    settle();
    CHECK(title() == "Attention from token 13");
    CHECK(script->stopped >= 2);
}

TEST_CASE_FIXTURE(WindowFixture, "with Live off, changes wait for Run") {
    openDemo();
    window->actions().live->setChecked(false);
    const int before = script->paints;
    window->controller().change("x", {}, [](Session& s) { s.analyses[0].params["queries"] = "5"; });
    QTest::qWait(100);
    CHECK(script->paints == before);
    QTest::keyClick(window.get(), Qt::Key_Return, Qt::ControlModifier);
    settle();
    CHECK(title() == "Attention from token 5");
}

TEST_CASE_FIXTURE(WindowFixture, "a model that cannot be opened is explained, the picture stays") {
    openDemo();
    window->opener().openModel("missing");
    settle();
    CHECK(window->banner().text().contains("name a folder"));
    CHECK(view().picture() != nullptr);
    window->actions().undo->trigger();
    settle();
    CHECK(window->banner().isHidden());
}

TEST_CASE_FIXTURE(WindowFixture, "comparing edits a copy beside the session and shows the difference") {
    openDemo();
    window->actions().compare->trigger();
    settle();
    ViewPage& page = window->views().currentPage();
    CHECK(page.view(Side::B).isVisibleTo(window.get()));
    window->controller().change("x", {}, [](Session& s) {
        s.analyses[0].params["queries"] = "70";
        s.edits.push_back({"temperature", {}, true});
    });
    settle();
    CHECK(window->editsPanel().view().model()->index(0, 0).data().toString().contains("12 sites"));
    CHECK(page.view(Side::A).picture()->title == "Attention from token 0");
    CHECK(page.view(Side::B).picture()->title == "Attention from token 70");
    CHECK(page.view(Side::Difference).picture() != nullptr);
    window->actions().undo->trigger();
    settle();
    CHECK(page.view(Side::B).picture()->title == "Attention from token 0");
    window->actions().compare->trigger();
    CHECK_FALSE(page.view(Side::B).isVisibleTo(window.get()));
}

TEST_CASE_FIXTURE(WindowFixture, "both sides stay where there is no difference of them, and the third says why") {
    openDemo();
    window->actions().compare->trigger();
    window->controller().change("x", {}, [](Session& s) { s.seed = 7; });
    settle();
    ViewPage& page = window->views().currentPage();
    CHECK(window->banner().isHidden());
    CHECK(page.view(Side::B).picture() != nullptr);
    CHECK(page.view(Side::Difference).picture() == nullptr);
    CHECK(page.view(Side::Difference).message() == "seeds cannot be subtracted");
    window->actions().undo->trigger();
    settle();
    CHECK(page.view(Side::Difference).picture() != nullptr);
    CHECK(page.view(Side::Difference).message().isEmpty());
}

namespace {

// An empty clipboard may hold nothing at all.
bool clipboardHasImage() {
    const QMimeData* data = QApplication::clipboard()->mimeData();
    return data && data->hasImage();
}

}  // namespace

TEST_CASE_FIXTURE(WindowFixture, "the difference of A and B is exported and copied as a picture") {
    openDemo();
    CHECK_FALSE(window->actions().exportDifference->isEnabled());
    window->actions().compare->trigger();
    window->controller().change("x", {}, [](Session& s) { s.analyses[0].params["queries"] = "70"; });
    settle();
    CHECK(window->actions().exportDifference->isEnabled());
    const QString file = folder.filePath("difference.svg");
    window->exportSideTo(Side::Difference, file);
    settle();
    QFile written(file);
    REQUIRE(written.open(QIODevice::ReadOnly));
    const std::string text = written.readAll().toStdString();
    CHECK(text.find("queries 70") != std::string::npos);  // the scripted difference draws B

    window->actions().copyDifference->trigger();
    REQUIRE(QTest::qWaitFor(clipboardHasImage, 20000));
    const QByteArray difference = QApplication::clipboard()->mimeData()->data("image/png");
    CHECK(difference.startsWith("\x89PNG"));
    CHECK_FALSE(qvariant_cast<QImage>(QApplication::clipboard()->mimeData()->imageData()).isNull());
    QApplication::clipboard()->clear();
    window->actions().copyPicture->trigger();
    REQUIRE(QTest::qWaitFor(clipboardHasImage, 20000));
    CHECK(QApplication::clipboard()->mimeData()->data("image/png") != difference);
}

TEST_CASE_FIXTURE(WindowFixture, "a view or theme that does not exist is a usage error, said before anything is drawn") {
    Options options;
    CHECK(knowsViews(*window, options));
    options.view = "head_grid";
    CHECK(knowsViews(*window, options));
    options.view = "nope";
    CHECK_FALSE(knowsViews(*window, options));
    const char* words[] = {"fovea", "--theme", "blue"};
    CHECK(parseOptions(3, const_cast<char**>(words)).exitCode == 2);
}

TEST_CASE_FIXTURE(WindowFixture, "a menu lists all views where the tabs do not fit") {
    openDemo();
    auto* all = find<QToolButton>("all_views");
    CHECK(all->isHidden());
    window->resize(900, 650);
    QTest::qWait(50);
    REQUIRE(all->isVisibleTo(window.get()));
    CHECK(all->menu()->actions().size() == window->views().viewIds().size());
    all->menu()->actions().back()->trigger();
    CHECK(window->views().currentView() == window->views().viewIds().back());
    window->resize(1900, 860);
    QTest::qWait(50);
    CHECK(all->isHidden());
}

TEST_CASE_FIXTURE(WindowFixture,
                  "export writes the file in the background; an exported picture opens as a session") {
    openDemo();
    QTest::mouseClick(&view(), Qt::LeftButton, {}, placeOf(33));
    settle();
    const QString file = folder.filePath("picture.png");
    window->exportTo(file);
    settle();
    REQUIRE(QFile::exists(file));
    window->controller().open(startingSession("demo:vit", "scene:1"), {});
    settle();
    REQUIRE(window->opener().openSession(file));
    settle();
    CHECK(title() == "Attention from token 33");
    CHECK(session().pictures[0].painter == "heat_overlay");
}

TEST_CASE_FIXTURE(WindowFixture, "sessions are saved and opened again") {
    openDemo();
    window->controller().change("x", {}, [](Session& s) {
        s.analyses[0].params["queries"] = "7";
        s.edits.push_back({"temperature", {{"temperature", 2.0}}, false});
    });
    const QString file = folder.filePath("one.fovea.json");
    window->controller().setFile(file);
    REQUIRE(window->opener().save());
    CHECK_FALSE(window->isWindowModified());
    const Session saved = window->presenter().document();
    window->controller().open(startingSession("demo:vit", "scene:1"), {});
    REQUIRE(window->opener().openSession(file));
    settle();
    CHECK(session().edits == saved.edits);
    CHECK(session().analyses == saved.analyses);
    CHECK(title() == "Attention from token 7");
    CHECK_FALSE(window->opener().openSession(folder.filePath("none.fovea.json")));
    CHECK(window->banner().isVisibleTo(window.get()));
}

TEST_CASE_FIXTURE(WindowFixture, "saving while comparing keeps both sessions, each in its place") {
    openDemo();
    window->actions().compare->trigger();
    CHECK_FALSE(window->isWindowModified());
    window->controller().change("x", {}, [](Session& s) { s.analyses[0].params["queries"] = "70"; });
    settle();
    CHECK(window->isWindowModified());
    const QString file = folder.filePath("both.fovea.json");
    REQUIRE(window->opener().saveTo(file));
    CHECK_FALSE(window->isWindowModified());
    const Session saved = readSession(file.toStdString());
    CHECK_FALSE(saved.analyses[0].params.contains("queries"));
    REQUIRE(comparedWith(saved));
    CHECK(comparedWith(saved)->analyses[0].params.at("queries") == "70");
    window->actions().compare->trigger();
    CHECK(window->isWindowModified());
    openDemo();
    CHECK_FALSE(window->controller().comparing());
    REQUIRE(window->opener().openSession(file));
    settle();
    CHECK(window->controller().comparing());
    ViewPage& page = window->views().currentPage();
    CHECK(page.view(Side::A).picture()->title == "Attention from token 0");
    CHECK(page.view(Side::B).picture()->title == "Attention from token 70");
    CHECK_FALSE(window->controller().sessionA().views.contains("compare"));
}

TEST_CASE_FIXTURE(WindowFixture, "unsaved changes are asked about, and a save that fails changes nothing") {
    openDemo();
    int asked = 0;
    auto answer = MainWindow::Unsaved::Cancel;
    window->askUnsaved = [&] { return ++asked, answer; };
    const QString file = folder.filePath("one.fovea.json");
    REQUIRE(window->opener().saveTo(file));
    window->controller().change("x", {}, [](Session& s) { s.seed = 5; });
    CHECK_FALSE(window->opener().saveTo(folder.filePath("no such folder/two.fovea.json")));
    CHECK(window->isWindowModified());
    CHECK(window->controller().file() == file);
    CHECK_FALSE(window->opener().openSession(file));
    CHECK(session().seed == 5);
    CHECK_FALSE(window->close());
    CHECK(asked == 2);
    answer = MainWindow::Unsaved::Save;
    CHECK(window->close());
    CHECK(readSession(file.toStdString()).seed == 5);
    CHECK(window->opener().openSession(file));
    CHECK(asked == 3);
}

TEST_CASE_FIXTURE(WindowFixture, "other pictures begin with the first; the timeline steps and plays") {
    script->items = 3;
    openDemo();
    auto* slider = window->findChildren<TimelineBar*>().front()->findChild<QSlider*>();
    auto* bar = static_cast<TimelineBar*>(slider->parentWidget());
    CHECK(bar->isVisibleTo(window.get()));
    slider->setValue(2);
    settle();
    CHECK(window->presenter().item() == 2);
    CHECK(window->presenter().context().item == 2);
    script->items = 1;
    window->opener().openImages({"scene:9"});
    settle();
    CHECK(window->presenter().item() == 0);
    CHECK(window->banner().isHidden());
    CHECK(bar->step() == 0);
    CHECK_FALSE(bar->isVisibleTo(window.get()));

    script->items = 3;
    window->actions().run->trigger();
    settle();
    auto* play = bar->findChild<QToolButton*>();
    play->click();
    CHECK(bar->playing());
    REQUIRE(QTest::qWaitFor([&] { return !bar->playing(); }, 10000));
    settle();
    CHECK(window->presenter().item() == 2);
    CHECK_FALSE(play->isChecked());
}

TEST_CASE_FIXTURE(WindowFixture,
                  "in the head grid form and tree show what is drawn, and defaults can be chosen") {
    openDemo();
    auto* layers = find<QLineEdit>("param_layers");
    CHECK(layers->text() == "last");
    window->views().showView("head_grid");
    settle();
    CHECK(layers->text() == "all");
    CHECK(find<QComboBox>("param_planes")->currentData() == "layers_heads");
    QTreeView& tree = window->modelPanel().tree();
    CHECK(tree.selectionModel()->isSelected(tree.model()->index(0, 0)));
    layers->clear();
    QTest::keyClicks(layers, "last");
    QTest::keyClick(layers, Qt::Key_Return);
    settle();
    CHECK(session().analyses[0].params == nlohmann::json{{"layers", "last"}});
    CHECK(window->presenter().document().analyses[0].params.at("layers") == "last");
    CHECK_FALSE(tree.selectionModel()->isSelected(tree.model()->index(0, 0)));
    layers->clear();
    QTest::keyClicks(layers, "all");
    QTest::keyClick(layers, Qt::Key_Return);
    CHECK(session().analyses[0].params.empty());
    window->views().showView("overlay");
    settle();
    CHECK(layers->text() == "last");
}

TEST_CASE_FIXTURE(WindowFixture, "a fixed range keeps small numbers and never becomes empty") {
    openDemo();
    window->controller().change("x", {}, [](Session& s) {
        s.pictures[0].display.scale = "fixed";
        s.pictures[0].display.minimum = 0;
        s.pictures[0].display.maximum = 3.25e-7;
    });
    auto* maximum = find<QDoubleSpinBox>("display_maximum");
    CHECK(maximum->value() == doctest::Approx(3.25e-7));
    maximum->setValue(2e-7);
    CHECK(session().pictures[0].display.maximum == doctest::Approx(2e-7));
    find<QDoubleSpinBox>("display_minimum")->setValue(1);
    CHECK(session().pictures[0].display.minimum == 0);
    CHECK(find<QDoubleSpinBox>("display_minimum")->value() == 0);
}

TEST_CASE_FIXTURE(WindowFixture, "painter parameters of the document do not trouble other views") {
    openDemo();
    window->controller().change("x", {}, [](Session& s) {
        s.pictures[0].painter = "heat_overlay";
        s.pictures[0].params = {{"rows", 5}};
    });
    settle();
    CHECK(window->banner().isHidden());
    CHECK(window->presenter().document().pictures[0].params.empty());
}

TEST_CASE_FIXTURE(WindowFixture, "copy as command puts the fovea-cli line on the clipboard") {
    openDemo();
    window->actions().copyCommand->trigger();
    CHECK(QApplication::clipboard()->text().startsWith("fovea-cli"));
    CHECK(QApplication::clipboard()->text().contains("demo:vit"));
}

TEST_CASE_FIXTURE(WindowFixture, "pictures are dropped and pasted") {
    openDemo();
    QImage image(20, 10, QImage::Format_RGB32);
    image.fill(Qt::red);
    const QString file = folder.filePath("red.png");
    REQUIRE(image.save(file));
    QMimeData files;
    files.setUrls({QUrl::fromLocalFile(file)});
    REQUIRE(window->opener().accepts(files));
    window->opener().drop(files);
    CHECK(session().input.images == std::vector<std::string>{file.toStdString()});
    QMimeData pixels;
    pixels.setImageData(image);
    window->opener().drop(pixels);
    REQUIRE(session().input.images.size() == 1);
    CHECK(QImage(QString::fromStdString(session().input.images[0])).size() == image.size());
    window->actions().undo->trigger();
    CHECK(session().input.images[0] == file.toStdString());
}

}  // namespace fovea::gui
