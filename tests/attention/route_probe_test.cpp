#include "attention/route_probe.h"

#include <doctest/doctest.h>

#include <ATen/ops/randn.h>
#include <c10/util/Exception.h>

#include "attention/kernel_forward.h"

using namespace fovea;

namespace {

AttentionCall callOf(std::int64_t width, at::ScalarType type = at::kFloat) {
    AttentionCall call;
    call.query = at::randn({1, 2, 5, width}).to(type);
    call.key = at::randn({1, 2, 5, width}).to(type);
    call.value = at::randn({1, 2, 5, width}).to(type);
    call.scale = 0.5;
    return call;
}

int runs = 0;  // of the routes below

std::string never(const AttentionCall&) { return ""; }
RouteOutput halved(const AttentionCall& call) {
    ++runs;
    RouteOutput output = runKernelForward(call);
    output.output = output.output * 0.5;
    return output;
}
RouteOutput notANumber(const AttentionCall& call) {
    RouteOutput output = runKernelForward(call);
    output.lse = output.lse / 0;
    return output;
}
RouteOutput throwing(const AttentionCall&) { TORCH_CHECK(false, "not on this machine"); }

}  // namespace

TEST_CASE("every fused route of this machine passes its probe, in every type it takes") {
    int taken = 0;
    for (const Route& route : fusedRoutes())
        for (const at::ScalarType type : {at::kFloat, at::kHalf, at::kBFloat16, at::kDouble})
            for (const bool causal : {false, true}) {
                AttentionCall call = callOf(16, type);
                call.causal = causal;
                if (!route.declines(call).empty()) continue;
                CAPTURE(route.name);
                CHECK(probeRoute(route, call) == "");
                ++taken;
            }
    CHECK(taken >= 8);
}

TEST_CASE("a route that computes wrongly, gives NaN or throws is passed over, and asked once") {
    const Route wrong{"test halved", never, halved};
    runs = 0;
    const std::string reason = probeRoute(wrong, callOf(16));
    CHECK(reason.find("is wrong here: off by") == 0);
    CHECK(probeRoute(wrong, callOf(16)) == reason);
    CHECK(runs == 1);
    CHECK(probeRoute(wrong, callOf(24)) != "");
    CHECK(runs == 2);
    CHECK(probeRoute({"test nan", never, notANumber}, callOf(16)) != "");
    const std::string thrown = probeRoute({"test throwing", never, throwing}, callOf(16));
    CHECK(thrown.find("failed in its probe: not on this machine") == 0);
}
