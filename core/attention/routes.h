#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "attention/attention_operator.h"
#include "fovea/run.h"

namespace fovea {

/// What a route returns: the attention output and the log-sum-exp of its logits (natural log).
struct RouteOutput {
    at::Tensor output;  // [1, heads, query, value_dim], in the query's dtype
    at::Tensor lse;     // [1, heads, query], fp32 or float64
};

/// One way to compute softmax(QK^T)V: a name, why it cannot take a call ("" when it can), and the
/// computation.
struct Route {
    const char* name;
    std::string (*declines)(const AttentionCall&);
    RouteOutput (*run)(const AttentionCall&);
};

/// The eligibility table: routes in order of preference, chosen from device, dtype, head size, mask, bias,
/// soft cap and grouping alone, never from what is recorded. Remembers which one served how often and why the
/// others declined.
class RouteTable {
public:
    explicit RouteTable(RouteChoice choice) : m_choice(choice) {}

    RouteOutput run(const AttentionCall& call, const AttentionOperator& dense);
    std::vector<RouteReport> reports() const { return m_reports; }
    /// What to warn of: calls and edits that fell back to explicit products though nobody asked for them.
    std::vector<std::string> notices() const;
    /// Notes that something ran once by a route.
    void count(const char* name, std::vector<std::string> declined);

private:
    struct Pieces;
    static std::string tryRoute(const Route& route, const Pieces& pieces, RouteOutput& output);
    RouteOutput runSegments(const AttentionCall& call, const AttentionOperator& dense);

    RouteChoice m_choice;
    std::vector<RouteReport> m_reports;
};

/// How edited heads are computed again, as route reports name it.
constexpr const char *kernelEdit = "edit by the kernel", *explicitEdit = "edit by explicit products";

/// The fused routes in order of preference (core/attention/fused_routes.cpp).
const std::vector<Route>& fusedRoutes();

/// softmax in fp32 (float64 stays) and the product with V, chunked over query rows: serves every call.
RouteOutput explicitRoute(const AttentionCall& call, const AttentionOperator& dense);

/// Throws Error (Internal) when shapes, strides, dtypes or devices of a call do not fit together; the fused
/// operators crash or are silently wrong on such calls.
void checkCall(const AttentionCall& call);

}  // namespace fovea
