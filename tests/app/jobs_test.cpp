#include "session/jobs.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <new>
#include <vector>

#include "session/lru_cache.h"

using namespace fovea;

namespace {

// Work that runs until it is stopped; tells when it has begun.
std::function<void(const JobContext&)> endless(std::promise<void>& begun) {
    return [&begun](const JobContext& job) {
        begun.set_value();
        while (true) {
            job.progress(0.5);
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    };
}

}  // namespace

TEST_CASE("inline jobs turn exceptions into outcomes") {
    const JobContext job;
    CHECK(runInline([](const JobContext&) {}, job).done());
    CHECK(runInline([](const JobContext&) { throw Cancelled(); }, job).cancelled);
    const JobOutcome own =
        runInline([](const JobContext&) { throw Error("what", "hint", ErrorCode::Usage); }, job);
    REQUIRE(own.error);
    CHECK(own.error->code() == ErrorCode::Usage);
    CHECK(own.error->hint() == "hint");
    const JobOutcome foreign = runInline([](const JobContext&) { throw std::runtime_error("odd"); }, job);
    REQUIRE(foreign.error);
    CHECK(foreign.error->code() == ErrorCode::Internal);
    CHECK(std::string(foreign.error->what()).find("odd") != std::string::npos);
}

TEST_CASE("a stopped context cancels at the next progress report") {
    std::stop_source stop;
    stop.request_stop();
    CHECK(
        runInline([](const JobContext& job) { job.progress(0.1); }, JobContext(stop.get_token())).cancelled);
}

TEST_CASE("out of memory is tried once more with less, then said with a budget") {
    int tries = 0, relieved = 0;
    const JobOutcome saved = runInline(
        [&](const JobContext&) {
            if (++tries == 1) throw std::bad_alloc();
        },
        JobContext(), [&] { ++relieved; });
    CHECK(saved.done());
    CHECK(tries == 2);
    CHECK(relieved == 1);
    const JobOutcome lost =
        runInline([&](const JobContext&) { ++tries, throw std::bad_alloc(); }, JobContext(), [] {});
    CHECK(tries == 4);
    REQUIRE(lost.error);
    CHECK(lost.error->code() == ErrorCode::Memory);
    CHECK(lost.error->hint().find("budget") != std::string::npos);
}

TEST_CASE("a refused estimate is not tried again") {
    int tries = 0;
    const JobOutcome outcome = runInline(
        [&](const JobContext&) {
            ++tries;
            throw Error("too large", {}, ErrorCode::Memory);
        },
        JobContext(), [] { FAIL("nothing to relieve"); });
    CHECK(tries == 1);
    CHECK(outcome.error);
}

TEST_CASE("a newer job of a lane stops the running and drops the waiting one") {
    JobRunner runner;
    std::promise<void> begun;
    std::mutex mutex;
    std::vector<std::pair<std::uint64_t, bool>> ends;
    const auto note = [&](const JobOutcome& outcome) {
        const std::lock_guard lock(mutex);
        ends.emplace_back(outcome.generation, outcome.done());
    };
    const auto first = runner.submit({"picture", endless(begun), note, {}});
    begun.get_future().wait();
    std::atomic<bool> secondRan = false, thirdRan = false, otherRan = false;
    const auto other = runner.submit({"export", [&](const JobContext&) { otherRan = true; }, note, {}});
    const auto second = runner.submit({"picture", [&](const JobContext&) { secondRan = true; }, note, {}});
    const auto third = runner.submit({"picture", [&](const JobContext&) { thirdRan = true; }, note, {}});
    runner.wait();
    CHECK(thirdRan);
    CHECK(otherRan);
    CHECK(first < second);
    CHECK(second < third);
    REQUIRE(ends.size() == 4);
    for (const auto& [generation, done] : ends) {
        if (generation == first) CHECK(!done);
        if (generation == third || generation == other) CHECK(done);
        if (generation == second) CHECK(done == secondRan);
    }
}

TEST_CASE("cancelling a lane leaves the others alone; destruction stops everything") {
    std::promise<void> begun;
    std::atomic<int> cancelled = 0;
    const auto count = [&](const JobOutcome& outcome) { cancelled += outcome.cancelled ? 1 : 0; };
    {
        JobRunner runner;
        runner.submit({"a", endless(begun), count, {}});
        begun.get_future().wait();
        runner.submit({"b", [](const JobContext&) {}, count, {}});
        runner.cancel("b");
        CHECK(cancelled == 1);
    }
    CHECK(cancelled == 2);
}

TEST_CASE("the cache drops what was used longest ago and keeps to its bytes") {
    LruCache cache(100);
    const auto value = [](int v) { return std::make_shared<const int>(v); };
    cache.put("a", value(1), 40);
    cache.put("b", value(2), 40);
    REQUIRE(cache.find<int>("a"));
    cache.put("c", value(3), 40);
    CHECK(cache.find<int>("a"));
    CHECK(!cache.find<int>("b"));
    CHECK(cache.bytes() == 80);
    cache.put("huge", value(4), 101);
    CHECK(!cache.find<int>("huge"));
    CHECK(*cache.find<int>("c") == 3);
    cache.put("c", value(5), 10);
    CHECK(*cache.find<int>("c") == 5);
    CHECK(cache.bytes() == 50);
}
