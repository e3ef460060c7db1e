#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/json_node.h"

namespace fovea::text {

/// One step of decoding at work. Tokens come in parts: a part may begin a token, continue it, end it, or be all of it.
/// What a stage has to say goes on to the next one.
class DecoderStage {
public:
    virtual ~DecoderStage() = default;

    struct Part {
        std::string_view text;
        bool begins = true, ends = true;
    };
    virtual void push(const Part& part) = 0;
    /// The last token has been pushed; the stage gives out what it held back.
    virtual void finish() = 0;

    void sendTo(DecoderStage& next) { m_next = &next; }

protected:
    DecoderStage& next() { return *m_next; }

private:
    DecoderStage* m_next = nullptr;
};

/// A stage that needs its tokens whole.
class WholeTokenStage : public DecoderStage {
public:
    void push(const Part& part) final;
    void finish() final;

protected:
    /// Takes a token and pushes what becomes of it.
    virtual void token(std::string_view text) = 0;
    /// Gives out what was held back.
    virtual void rest() {}

private:
    std::string m_open;
    bool m_isOpen = false;
};

/// A decoder of a tokenizer.json; start() begins a new text.
class TokenDecoder {
public:
    virtual ~TokenDecoder() = default;
    virtual std::unique_ptr<DecoderStage> start() const = 0;
};

/// The decoders of a tokenizer.json in order; throws Error (Input) for one that is unknown or wrong.
std::vector<std::unique_ptr<TokenDecoder>> makeDecoders(const JsonNode& node);
/// What takes the place of a decoder where a file has none: tokens with spaces between them.
std::vector<std::unique_ptr<TokenDecoder>> joinWithSpaces();

/// Members of makeDecoders, nullptr when the type is not theirs.
std::unique_ptr<TokenDecoder> makeByteDecoder(const JsonNode& node, const std::string& type);
std::unique_ptr<TokenDecoder> makeWordDecoder(const JsonNode& node, const std::string& type);
std::unique_ptr<TokenDecoder> makeTextDecoder(const JsonNode& node, const std::string& type);

/// A decoder whose stages are made by a function.
template <typename Make>
class DecoderOf : public TokenDecoder {
public:
    explicit DecoderOf(Make make) : m_make(std::move(make)) {}
    std::unique_ptr<DecoderStage> start() const override { return m_make(); }

private:
    Make m_make;
};
template <typename Make>
std::unique_ptr<TokenDecoder> decoderOf(Make make) {
    return std::make_unique<DecoderOf<Make>>(std::move(make));
}

/// All stages of one text in a row.
class DecoderChain {
public:
    explicit DecoderChain(const std::vector<std::unique_ptr<TokenDecoder>>& decoders);
    void push(std::string_view token);
    void finish();
    /// The text that came out since the last call.
    std::string take();

private:
    struct Sink;
    std::vector<std::unique_ptr<DecoderStage>> m_stages;
    Sink* m_sink;  // the last stage
};

}  // namespace fovea::text
