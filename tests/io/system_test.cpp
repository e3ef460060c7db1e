// What the program asks the operating system: its own place, libraries to load, the clock on the wall.
#include <doctest/doctest.h>

#include "common/local_time.h"
#include "io/loaded_module.h"
#include "io/program_folder.h"
#include "support.h"

namespace fovea::test {

TEST_CASE("the program's folder holds this test program") {
    const fs::path folder = programFolder();
    REQUIRE(folder.is_absolute());
    CHECK((fs::exists(folder / "test_io") || fs::exists(folder / "test_io.exe")));
}

TEST_CASE("a module that is missing, damaged or a folder is empty, and so are its functions") {
    using Function = int(int);
    TemporaryFolder empty, damaged, folder;
    const std::string file = LoadedModule::fileName("fovea_nothing");
    writeBytes(damaged / file, "no library");
    fs::create_directories(folder / file);
    const LoadedModule modules[] = {{"fovea_nothing", {}},
                                    {"fovea_nothing", {fs::path(), empty.path(), empty / "absent"}},
                                    {"fovea_nothing", {damaged.path()}},
                                    {"fovea_nothing", {folder.path(), damaged.path()}}};
    for (const LoadedModule& module : modules) {
        CHECK_FALSE(module);
        Function* function = [](int x) { return x; };
        module.find(function, "foveaNothing");
        CHECK((function == nullptr));
    }
}

TEST_CASE("local time is the moment's in this time zone") {
    const std::time_t moment = 1'700'000'000;
    std::tm local = localTime(moment);
    CHECK(local.tm_year == 123);
    CHECK(local.tm_mon == 10);
    CHECK(local.tm_sec == 20);
    CHECK(std::mktime(&local) == moment);
}

}  // namespace fovea::test
