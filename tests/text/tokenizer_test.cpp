#include "fovea/tokenizer.h"

#include <cstring>
#include <doctest/doctest.h>

#include "images/fixtures.h"
#include "io/json_file.h"

using namespace fovea;
using nlohmann::json;

namespace {

const JsonLimits bigFile{std::size_t{128} << 20, 64, 8'000'000};

/// Numbers and texts in the order in which the fixture script wrote them.
class Reader {
public:
    explicit Reader(const std::filesystem::path& file) : m_bytes(test::readBytes(file)) {}

    std::vector<int> numbers(std::size_t count) {
        std::vector<int> values(count);
        REQUIRE(m_at + 4 * count <= m_bytes.size());
        if (count > 0) std::memcpy(values.data(), m_bytes.data() + m_at, 4 * count);
        m_at += 4 * count;
        return values;
    }
    std::size_t count() { return static_cast<std::size_t>(numbers(1)[0]); }
    std::string text() {
        const std::size_t size = count();
        REQUIRE(m_at + size <= m_bytes.size());
        const auto* begin = reinterpret_cast<const char*>(m_bytes.data()) + m_at;
        m_at += size;
        return {begin, size};
    }
    bool atEnd() const { return m_at == m_bytes.size(); }

private:
    std::vector<std::uint8_t> m_bytes;
    std::size_t m_at = 0;
};

struct Fixtures {
    std::filesystem::path folder = test::fixtureFolder("text/make_tokenizer_fixtures.py", {"fixture_texts.py"});
    json index = test::readJson(folder / "index.json");
    std::vector<std::string> texts;

    Fixtures() {
        Reader reader(folder / "texts.bin");
        while (!reader.atEnd()) texts.push_back(reader.text());
    }
    std::shared_ptr<const Tokenizer> tokenizer(const std::string& name) const {
        const std::string file = name + ".json";
        return Tokenizer::fromJson(readJsonFile(folder / file, bigFile), file);
    }
};

const Fixtures& fixtures() {
    static const Fixtures loaded;
    return loaded;
}

/// What the reference makes of a text.
struct Expected {
    std::vector<int> ids, begins, ends, bareIds;
    std::string decoded, decodedPlain;

    explicit Expected(Reader& reader) {
        const std::size_t count = reader.count();
        ids = reader.numbers(count);
        begins = reader.numbers(count);
        ends = reader.numbers(count);
        bareIds = reader.numbers(reader.count());
        decoded = reader.text();
        decodedPlain = reader.text();
    }
};

bool sameSpans(const Encoding& got, const Expected& expected) {
    for (std::size_t i = 0; i < got.ids.size(); ++i)
        if (got.spans[i] != ByteSpan{static_cast<std::size_t>(expected.begins[i]),
                                     static_cast<std::size_t>(expected.ends[i])})
            return false;
    return true;
}

std::string streamed(const std::shared_ptr<const Tokenizer>& tokenizer, const std::vector<int>& ids) {
    StreamingDecoder decoder(tokenizer);
    std::string text;
    for (const int id : ids) text += decoder.push(id);
    return text + decoder.finish();
}

std::string show(const std::vector<int>& values) {
    return json(values).dump();
}

void compare(const std::string& name) {
    const auto tokenizer = fixtures().tokenizer(name);
    Reader reader(fixtures().folder / (name + ".bin"));
    int wrong = 0;
    for (const std::string& text : fixtures().texts) {
        const Expected expected(reader);
        const Encoding got = tokenizer->encode(text, AddSpecial::Yes);
        const bool ids = got.ids == expected.ids && tokenizer->encode(text, AddSpecial::No).ids == expected.bareIds;
        const bool spans = got.ids.size() == expected.ids.size() && sameSpans(got, expected);
        const std::string decoded = tokenizer->decode(expected.ids, SkipSpecial::No);
        const std::string plain = tokenizer->decode(expected.ids, SkipSpecial::Yes);
        const bool texts = decoded == expected.decoded && plain == expected.decodedPlain;
        const bool stream = streamed(tokenizer, expected.ids) == plain;
        if (ids && spans && texts && stream) continue;
        if (++wrong > 3) continue;
        std::vector<int> begins, ends;
        for (const ByteSpan span : got.spans) {
            begins.push_back(static_cast<int>(span.begin));
            ends.push_back(static_cast<int>(span.end));
        }
        MESSAGE(name, ": ", json(text).dump(), "\n ids ", show(got.ids), "\n     ", show(expected.ids), "\n begins ",
                show(begins), "\n        ", show(expected.begins), "\n ends   ", show(ends), "\n        ",
                show(expected.ends), "\n text ", json(decoded).dump(), "\n      ", json(expected.decoded).dump());
    }
    CHECK_MESSAGE(wrong == 0, name, ": ", wrong, " of ", fixtures().texts.size(), " texts differ from the reference");
    CHECK(reader.atEnd());
}

}  // namespace

TEST_CASE("ids, byte spans, decoded and streamed texts equal the reference for every kind of tokenizer") {
    REQUIRE(fixtures().texts.size() == fixtures().index["texts"].get<std::size_t>());
    REQUIRE(fixtures().texts.size() >= 2000);
    for (const json& name : fixtures().index["tokenizers"]) compare(name.get<std::string>());
}
