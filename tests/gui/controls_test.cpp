// Every control has a tooltip, an accessible name and a keyboard path, and shows its text whole.
#include <QAbstractButton>
#include <QAbstractItemView>
#include <QAbstractSpinBox>
#include <QCheckBox>
#include <QComboBox>
#include <QDockWidget>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QMenuBar>
#include <QScrollArea>
#include <QSet>
#include <QSlider>
#include <QTabBar>
#include <QToolBar>
#include <QToolButton>
#include <QTreeView>

#include "dialogs/cached_dialog.h"
#include "gui/window_fixture.h"

namespace fovea::gui {

namespace {

bool insideAnother(const QWidget* widget) {
    for (const QWidget* parent = widget->parentWidget(); parent; parent = parent->parentWidget()) {
        if (qobject_cast<const QComboBox*>(parent) || qobject_cast<const QAbstractSpinBox*>(parent) ||
            qobject_cast<const QLineEdit*>(parent) || qobject_cast<const QHeaderView*>(parent) ||
            qobject_cast<const QTabBar*>(parent) || qobject_cast<const QAbstractItemView*>(parent))
            return true;
        // Qt's own: the extension button of a tool bar, the buttons of a dock's title.
        if (qobject_cast<const QDockWidget*>(parent) && widget->objectName().startsWith("qt_")) return true;
    }
    return widget->objectName().startsWith("qt_");
}

bool isControl(const QWidget* widget) {
    return qobject_cast<const QAbstractButton*>(widget) || qobject_cast<const QComboBox*>(widget) ||
           qobject_cast<const QAbstractSpinBox*>(widget) || qobject_cast<const QLineEdit*>(widget) ||
           qobject_cast<const QAbstractItemView*>(widget) || qobject_cast<const QSlider*>(widget) ||
           qobject_cast<const QTabBar*>(widget) || qobject_cast<const PictureView*>(widget);
}

void checkControls(const QWidget& top) {
    int seen = 0;
    for (const QWidget* widget : top.findChildren<QWidget*>()) {
        if (!isControl(widget) || insideAnother(widget)) continue;
        ++seen;
        const std::string what =
            QString("%1 \"%2\" in %3")
                .arg(widget->metaObject()->className(), widget->objectName(),
                     widget->parentWidget() ? widget->parentWidget()->metaObject()->className() : "")
                .toStdString();
        CHECK_MESSAGE(!widget->toolTip().isEmpty(), "no tooltip: ", what);
        CHECK_MESSAGE(!widget->accessibleName().isEmpty(), "no accessible name: ", what);
        CHECK_MESSAGE((widget->focusPolicy() & Qt::TabFocus) != 0, "no keyboard path: ", what);
    }
    CHECK(seen > 2);
}

void checkTexts(const QWidget& top) {
    for (const QLabel* label : top.findChildren<QLabel*>()) {
        if (!label->isVisibleTo(&top) || label->text().isEmpty() || label->wordWrap()) continue;
        if (label->sizePolicy().horizontalPolicy() == QSizePolicy::Ignored) continue;
        CHECK_MESSAGE(label->width() + 1 >= label->sizeHint().width(),
                      "clipped: ", label->text().toStdString());
        CHECK_MESSAGE(label->height() + 1 >= label->fontMetrics().height(),
                      "too low: ", label->text().toStdString());
    }
    for (const QAbstractButton* button : top.findChildren<QAbstractButton*>()) {
        if (!button->isVisibleTo(&top) || button->text().isEmpty() || insideAnother(button)) continue;
        CHECK_MESSAGE(button->width() + 1 >= button->sizeHint().width(),
                      "clipped: ", button->text().toStdString());
    }
}

}  // namespace

TEST_CASE_FIXTURE(WindowFixture,
                  "every control of the window has tooltip, accessible name and keyboard path") {
    openDemo();
    for (QAction* action : window->editsPanel().findChildren<QMenu*>().front()->actions()) action->trigger();
    settle();
    for (const EntryInfo& entry : window->service().offer().analyses) {
        window->analysisPanel().choose(entry.id);
        settle();
        checkControls(*window);
    }
}

TEST_CASE_FIXTURE(WindowFixture, "every action of menus and tool bar has a tooltip, and no two share a key") {
    QSet<QString> keys;
    for (QAction* action : window->actions().undo->parent()->findChildren<QAction*>()) {
        for (const QKeySequence& key : action->shortcuts()) {
            CHECK_MESSAGE(!keys.contains(key.toString()), "two actions share ", key.toString().toStdString());
            keys.insert(key.toString());
        }
        if (!action->text().isEmpty() && !action->isSeparator()) CHECK_FALSE(action->toolTip().isEmpty());
    }
    for (const char* key : {"Ctrl+Return", "Esc", "Ctrl+Z", "Ctrl+E", "F5"}) CHECK(keys.contains(key));
}

TEST_CASE_FIXTURE(WindowFixture, "no text of the window is cut off, small or large") {
    openDemo();
    for (const QSize& size : {QSize(1360, 860), QSize(1100, 700)}) {
        window->resize(size);
        QTest::qWait(50);
        checkTexts(*window);
    }
}

TEST_CASE_FIXTURE(WindowFixture, "at twice the size of type nothing is cut off either") {
    const QFont before = QApplication::font();
    QFont large = before;
    large.setPointSizeF(2 * before.pointSizeF());
    QApplication::setFont(large);
    start();
    openDemo();
    for (const EntryInfo& entry : window->service().offer().analyses) {
        window->analysisPanel().choose(entry.id);
        settle();
        QTest::qWait(50);
        checkTexts(*window);
        for (const QScrollArea* scroll : window->findChildren<QScrollArea*>())
            CHECK(scroll->viewport()->width() >= scroll->widget()->minimumSizeHint().width());
    }
    QTreeView& tree = window->modelPanel().tree();
    tree.expandAll();
    const QModelIndex head =
        tree.model()->index(0, 0, tree.model()->index(11, 0, tree.model()->index(0, 0)));
    tree.scrollTo(head);
    const QRect name = tree.visualRect(head);
    CHECK(name.width() >= tree.fontMetrics().horizontalAdvance("h0"));
    for (const int column : {1, 2})
        CHECK(tree.columnWidth(column) >= tree.fontMetrics().horizontalAdvance("0.000"));
    window.reset();
    QApplication::setFont(before);
}

TEST_CASE("the dialog of cached models has tooltips, names and keyboard paths") {
    QTemporaryDir folder;
    CachedDialog dialog(folder.path().toStdU16String());
    dialog.show();
    CHECK(QTest::qWaitFor(
        [&] { return dialog.findChild<QLabel*>()->text().startsWith("There are no models"); }, 5000));
    checkControls(dialog);
    CHECK(dialog.chosen().isEmpty());
}

}  // namespace fovea::gui
