#include "dispatch/backend.h"

#include "cpu/drivers.h"

namespace fovea::kernels {

const Backend& cpuBackend() {
    static const Backend backend{
        {cpu::statsWorkspace, cpu::statsRun},         {cpu::linesWorkspace, cpu::linesRun},
        {cpu::tileWorkspace, cpu::tileRun},           {cpu::productWorkspace, cpu::productRun},
        {cpu::relevanceWorkspace, cpu::relevanceRun}, {cpu::forwardWorkspace, cpu::forwardRun},
    };
    return backend;
}

}  // namespace fovea::kernels
