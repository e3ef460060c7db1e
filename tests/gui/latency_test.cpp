#include <QElapsedTimer>
#include <QTimer>
#include <algorithm>
#include <thread>

#include "fovea/error.h"
#include "gui/window_fixture.h"
#include "window/background.h"

namespace fovea::gui {

namespace {

/// The longest time between two turns of the event loop while `act` is followed by `ms` of waiting.
qint64 longestGap(int ms, const std::function<void()>& act) {
    QElapsedTimer clock;
    qint64 last = 0, longest = 0;
    QTimer beat;
    beat.setInterval(1);
    QObject::connect(&beat, &QTimer::timeout, [&] {
        const qint64 now = clock.elapsed();
        longest = std::max(longest, now - last);
        last = now;
    });
    clock.start();
    beat.start();
    act();
    QTest::qWait(ms);
    return std::max(longest, clock.elapsed() - last);
}

}  // namespace

TEST_CASE_FIXTURE(WindowFixture, "the window answers within 50 ms while a run goes on") {
    openDemo();
    longestGap(300, [] {});  // warm up: first paints, fonts
    script->paintMs = 1500;
    const int before = script->paints;
    const qint64 gap = longestGap(1200, [&] { window->actions().run->trigger(); });
    CHECK(script->paints == before + 1);
    CHECK(window->service().busy());
    MESSAGE("longest gap during a run: ", gap, " ms");
    CHECK(gap <= 50);
    window->actions().stop->trigger();
    settle();
}

TEST_CASE_FIXTURE(WindowFixture, "changing things while a run goes on answers within 50 ms") {
    openDemo();
    script->paintMs = 400;
    qint64 worst = 0;
    for (int token = 20; token < 30; ++token)
        worst = std::max(
            worst, longestGap(60, [&] { QTest::mouseClick(&view(), Qt::LeftButton, {}, placeOf(token)); }));
    MESSAGE("longest gap while clicking: ", worst, " ms");
    CHECK(worst <= 50);
    window->actions().stop->trigger();
    settle();
}

TEST_CASE("work in the background keeps the window alive and throws what it threw") {
    std::thread::id where;
    const qint64 gap = longestGap(1, [&] {
        inBackground([&] {
            where = std::this_thread::get_id();
            std::this_thread::sleep_for(std::chrono::milliseconds(300));
        });
    });
    CHECK(where != std::this_thread::get_id());
    CHECK(gap <= 50);
    CHECK_THROWS_AS(inBackground([] { throw Error("no"); }), Error);
}

}  // namespace fovea::gui
