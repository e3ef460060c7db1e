#include "session/batch.h"

#include <doctest/doctest.h>

#include <set>

#include "fovea/error.h"
#include "io/support.h"

using namespace fovea;

TEST_CASE("CSV with quotes, line ends and commas inside fields") {
    const auto rows =
        parseCsv("image,name\r\n\"a,b.png\",\"say \"\"x\"\"\"\nc.png,\n\n\"two\nlines\",z", "m.csv");
    REQUIRE(rows.size() == 4);
    CHECK(rows[1] == std::vector<std::string>{"a,b.png", "say \"x\""});
    CHECK(rows[2] == std::vector<std::string>{"c.png", ""});
    CHECK(rows[3] == std::vector<std::string>{"two\nlines", "z"});
    CHECK_THROWS_AS(parseCsv("a,\"b", "m.csv"), Error);
    CHECK(parseCsv("\xEF\xBB\xBFimage\nx\n", "m.csv")[0][0] == "image");
}

TEST_CASE("a manifest becomes items with names of their own") {
    const test::TemporaryFolder folder;
    test::writeBytes(folder.path() / "m.csv",
                     "image,name,seed\nx/cat.png,,5\ny/cat.png,,\nscene:9,../up,\n/abs/d.png,cat,7\n");
    Session session;
    session.seed = 1;
    const auto items = batchOfManifest(session, folder.path() / "m.csv");
    REQUIRE(items.size() == 4);
    std::set<std::string> names;
    for (const BatchItem& item : items) {
        CHECK(names.insert(item.name).second);
        CHECK(item.name.find('/') == std::string::npos);
        CHECK(item.name.front() != '.');
        CHECK(item.session.input.images.size() == 1);
    }
    CHECK(items[0].session.input.images[0] == (folder.path() / "x/cat.png").generic_string());
    CHECK(items[0].session.seed == 5);
    CHECK(items[1].session.seed == 1);
    CHECK(items[2].session.input.images[0] == "scene:9");
    CHECK(items[3].session.input.images[0] == "/abs/d.png");
}

TEST_CASE("broken manifests name file and row") {
    const test::TemporaryFolder folder;
    const auto problem = [&](const std::string& text) -> std::string {
        test::writeBytes(folder.path() / "m.csv", text);
        try {
            batchOfManifest({}, folder.path() / "m.csv");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::Input);
            return error.what();
        }
        return "";
    };
    CHECK(problem("") != "");
    CHECK(problem("picture\na.png\n").find("image") != std::string::npos);
    CHECK(problem("image\n") != "");
    CHECK(problem("image,seed\na.png,1\nb.png\n").find("row 3") != std::string::npos);
    CHECK(problem("image,seed\na.png,-1\n").find("seed") != std::string::npos);
    CHECK(problem("image,name\n,x\n").find("row 2") != std::string::npos);
}

TEST_CASE("a folder gives its pictures by name") {
    const test::TemporaryFolder folder;
    for (const char* name : {"b.JPG", "a.png", "notes.txt", ".hidden.png", "a.ppm"})
        test::writeBytes(folder.path() / name, "x");
    const auto items = batchOfFolder({}, folder.path());
    REQUIRE(items.size() == 3);
    CHECK(items[0].name == "a");
    CHECK(items[1].name == "a-2");
    CHECK(items[2].name == "b");
    const test::TemporaryFolder empty;
    CHECK_THROWS_AS(batchOfFolder({}, empty.path()), Error);
    CHECK_THROWS_AS(batchOfFolder({}, folder.path() / "none"), Error);
}

TEST_CASE("shards cover everything once") {
    for (const int count : {1, 2, 3, 7}) {
        std::vector<int> seen(20, 0);
        for (int index = 1; index <= count; ++index) {
            const Shard shard = Shard::parse(std::to_string(index) + "/" + std::to_string(count));
            for (std::size_t i = 0; i < seen.size(); ++i) seen[i] += shard.holds(i) ? 1 : 0;
        }
        for (const int times : seen) CHECK(times == 1);
    }
    for (const char* bad : {"", "1", "0/2", "3/2", "1/0", "a/2", "1/2x", "-1/2", "1/", "/2"}) {
        CAPTURE(bad);
        CHECK_THROWS_AS(Shard::parse(bad), Error);
    }
}
